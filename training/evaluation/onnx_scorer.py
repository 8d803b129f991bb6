"""An exported graph as a scorer, without TensorFlow."""

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from training.data.encoded_rows import Batch
from training.evaluation.evaluate import Scorer


def onnx_scorer(path: Path) -> Scorer:
    """The ONNX file as a function of packed arrays, on the CPU."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def score(batch: Batch) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = session.run(["scores"], batch)[0]
        return scores

    return score
