"""Links that bring people to a room, or to the site."""
