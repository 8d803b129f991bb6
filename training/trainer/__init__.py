"""Trains one model: builds it, runs the epochs, keeps checkpoints, stops early."""
