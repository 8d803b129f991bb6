"""Splits, encodes and caches logs, which :mod:`ranker.log_files` reads."""
