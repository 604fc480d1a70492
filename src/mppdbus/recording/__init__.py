"""Journals of exchanges: requests and their replies, one JSON object a line.

It is the format of tests/frames: what a user records is a test as it stands.
"""
