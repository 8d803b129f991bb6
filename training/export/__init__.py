"""Exports a trained model as an artifact that the service loads without TensorFlow."""
