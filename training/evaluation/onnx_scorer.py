"""An exported graph as a scorer of a log's rows, without TensorFlow."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Packed
from ranker.engines import OnnxRuntime
from training.data.encoded_rows import Batch
from training.evaluation.evaluate import Scorer


def onnx_scorer(path: Path) -> Scorer:
    """The ONNX file as a function of packed arrays, a context row for each candidate, on the CPU."""
    engine = OnnxRuntime(path, one_context=False)

    def score(batch: Batch) -> NDArray[np.float32]:
        return engine.score(Packed(**{name: batch[name] for name in Packed._fields}))

    return score
