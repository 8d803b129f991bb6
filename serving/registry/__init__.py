"""The model registry: which versions are served, and when new ones are loaded."""
