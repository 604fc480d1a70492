"""Puts mppdbus on a machine and takes it off again; standard library alone.

An installer runs before any dependency can be imported, so nothing here imports one.
"""
