"""Features looked up by id: items on disk, users in Redis."""
