"""Engines that run an exported graph, by name; adding one is a file and a line here."""

from serving.runtime.base import ENGINES, Engine, EngineError
from serving.runtime.onnxruntime import OnnxRuntime

__all__ = ["ENGINES", "Engine", "EngineError", "OnnxRuntime"]
