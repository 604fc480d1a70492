"""Fixtures for every test."""

pytest_plugins = ["support_bus", "support_settings"]
