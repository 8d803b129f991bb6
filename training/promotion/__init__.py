"""Decides whether a new version of a model may take the place of an old one."""
