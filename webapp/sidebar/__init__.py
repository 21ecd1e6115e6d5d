"""The list of one's rooms and chats, on every page."""
