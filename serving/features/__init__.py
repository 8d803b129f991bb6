"""Features that are looked up by id: items on disk, users in Redis."""
