"""The open connections."""
