"""Ranking of a request: look-up, encoding, scoring, fusion, and the scheduler that batches these steps."""
