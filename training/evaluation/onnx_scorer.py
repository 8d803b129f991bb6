"""An exported graph as a scorer of a log's rows, without TensorFlow."""

from pathlib import Path

from ranker.engines import OnnxRuntime
from training.evaluation.evaluate import Scorer


def onnx_scorer(path: Path) -> Scorer:
    """The ONNX file as a function of packed arrays, a context row for each candidate, on the CPU."""
    return OnnxRuntime(path, one_context=False).score_arrays
