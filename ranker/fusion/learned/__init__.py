"""Learned fusion: a weighted sum and boosted trees fitted to a label computed from a config formula."""
