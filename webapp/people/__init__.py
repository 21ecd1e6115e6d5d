"""The pages about people: search, profile, friends, blocks, privacy."""
