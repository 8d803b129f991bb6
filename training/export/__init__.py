"""Writes a trained model as an artifact that a service can load without TensorFlow."""
