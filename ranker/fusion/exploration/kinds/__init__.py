"""Kinds of exploration."""
