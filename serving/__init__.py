"""The HTTP service: loads an artifact and answers ``POST /rank``; runs without TensorFlow."""
