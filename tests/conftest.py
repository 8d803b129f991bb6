"""Imported before any test module: `ranker` must be imported before TensorFlow, so that Keras 2 is chosen."""

import ranker  # noqa: F401
