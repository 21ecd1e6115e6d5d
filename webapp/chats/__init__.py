"""Direct chats of two people who know each other."""
