"""Searching messages: the query and its filters, what is found of one's rooms and chats, and how that is shown."""
