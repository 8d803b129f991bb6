"""The project's own side of the benchmarks; importing `ranker` before TensorFlow chooses Keras 2."""

import ranker  # noqa: F401
