"""The front page, the lobby, and the viewer's own stylesheet."""
