"""The service under fire: overload, reloads, killed workers, SIGTERM, load without end, broken requests."""
