"""Trains one model: builds it, runs epochs, saves checkpoints, stops early."""
