"""Benchmarks: quality, speed and robustness, compared with other libraries. Not part of the tests."""
