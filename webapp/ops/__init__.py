"""What an operator sees, and what runs by itself."""
