"""The HTTP service: an artifact in, ``POST /rank`` out; runs without TensorFlow."""
