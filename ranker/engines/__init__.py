"""Registry of engines that run an exported graph; to add one, add a file and a line here."""

from ranker.engines.base import (
    DEFAULTS,
    ENGINES,
    FLOAT32,
    MOST_MERGED,
    ON_CPU,
    PRECISIONS,
    Engine,
    EngineError,
    EngineOptions,
    MergingEngine,
    candidates_of,
    engine_of,
)
from ranker.engines.onnxruntime import MergingOnnxRuntime, OnnxRuntime
from ranker.engines.openvino import OpenVino
from ranker.engines.tensorflow import TensorFlow

__all__ = [
    "DEFAULTS",
    "ENGINES",
    "FLOAT32",
    "MOST_MERGED",
    "ON_CPU",
    "PRECISIONS",
    "Engine",
    "EngineError",
    "EngineOptions",
    "MergingEngine",
    "MergingOnnxRuntime",
    "OnnxRuntime",
    "OpenVino",
    "TensorFlow",
    "candidates_of",
    "engine_of",
]
