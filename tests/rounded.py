"""An engine with several precisions, to test what depends on them on a machine that has one."""

import time

import numpy as np

from ranker.engines import EngineError, OnnxRuntime

LOADED = []
BITS = {"float32": 24, "bfloat16": 6, "float16": 2}
"""So few that rankings of 20 candidates change, and for float16 that scores differ by more than its tolerance."""


class Rounded:
    """ONNX Runtime with scores rounded to the bits of a precision; float32 takes 20 ms longer."""

    name, sizes = "rounded", ()

    @staticmethod
    def precisions(device):
        return ("float32", "bfloat16", "float16", "tf32") if device == "cpu" else ()

    def __init__(self, model, options):
        if options.precision == "tf32":
            raise EngineError("no tensor cores here")
        self.precision = options.precision
        self._engine = OnnxRuntime(model, options._replace(precision="float32"))
        LOADED.append(self.precision)

    def score(self, packed):
        if self.precision == "float32":
            time.sleep(0.02)
        mantissa, exponent = np.frexp(self._engine.score(packed))
        steps = 2.0 ** BITS[self.precision]
        return np.ldexp(np.round(mantissa * steps) / steps, exponent).astype(np.float32)
