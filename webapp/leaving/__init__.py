"""Going away, and what becomes of what was theirs."""
