"""Offline search of fusion parameters: objective, search space, methods, confidence of the gain."""
