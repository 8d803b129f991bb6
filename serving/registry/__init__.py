"""Which versions of a model are served, and when a new one is taken."""
