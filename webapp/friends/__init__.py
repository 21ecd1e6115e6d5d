"""Who may reach whom."""
