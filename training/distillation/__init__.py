"""Distils a full model into a student for rankings in two stages, and measures how far these agree with the full."""
