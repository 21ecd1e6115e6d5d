"""All data of a person as one file."""
