"""Learned fusion: a weighted sum and boosted trees fitted to a label composed by the config."""
