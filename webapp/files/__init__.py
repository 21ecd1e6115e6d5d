"""Files of messages: sending them, and what may be sent."""
