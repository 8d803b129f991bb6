"""The offline job: data, training, evaluation, export. Importing it imports `ranker` first, which chooses Keras 2."""

import ranker  # noqa: F401
