"""Engines that run an exported graph, by name; adding one is a file and a line here."""

from serving.runtime.base import DEFAULTS, ENGINES, Engine, EngineError, engine_of
from serving.runtime.onnxruntime import OnnxRuntime
from serving.runtime.openvino import OpenVino
from serving.runtime.tensorflow import TensorFlow

__all__ = ["DEFAULTS", "ENGINES", "Engine", "EngineError", "OnnxRuntime", "OpenVino", "TensorFlow", "engine_of"]
