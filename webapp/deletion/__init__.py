"""Deleting an account, step by step."""
