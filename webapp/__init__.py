"""Parley, a chat server that renders HTML."""

__version__ = "0.1.0"
