"""Scores rows of a log with an exported ONNX graph, without TensorFlow."""

from pathlib import Path

from ranker.engines import OnnxRuntime
from training.evaluation.evaluate import Scorer


def onnx_scorer(path: Path) -> Scorer:
    """Load the ONNX file as a function of packed arrays, with one context row per candidate, on the CPU."""
    return OnnxRuntime(path, one_context=False).score_arrays
