"""What is for the viewer alone: who called them, answered, reacted, wrote to them, or wants to be friends."""
