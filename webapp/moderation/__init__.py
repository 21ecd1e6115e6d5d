"""Keeping it decent: reports, and what administrators do about them."""
