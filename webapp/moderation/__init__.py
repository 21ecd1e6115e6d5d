"""Reports, and what administrators decide about them."""
