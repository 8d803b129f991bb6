"""A/B experiments: their configuration and the group of each request."""
