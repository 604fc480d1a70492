"""Finds out why an inverter is not shown: facts are gathered, pure rules judge them."""
