"""Splits a log into training and validation rows: by time, by group, at random or by file."""
