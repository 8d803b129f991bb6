"""Robustness tests of the service: overload, reloads, killed workers, SIGTERM, sustained load, broken requests."""
