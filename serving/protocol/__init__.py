"""Requests and answers independent of HTTP: messages, validation, and wire formats."""
