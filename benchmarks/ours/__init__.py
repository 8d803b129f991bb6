"""The benchmarks' contestants from this project; importing `ranker` before TensorFlow selects Keras 2."""

import ranker  # noqa: F401
