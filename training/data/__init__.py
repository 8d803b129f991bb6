"""Reads, splits, encodes and caches logs; :mod:`training.data.log_reader` is the entry point."""
