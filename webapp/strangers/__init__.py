"""Meeting someone new, without a name."""
