"""Any place with a log: rooms, chats, and who is in them."""
