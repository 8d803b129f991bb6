"""The ranking library: schema, encoding, models, balancing, fusion, metrics and artifacts.

Importing it selects Keras 2 for TensorFlow, as tensorflow-recommenders requires, and disables ONNX Runtime's telemetry.
It imports nothing else.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ranker.inference import Model

__version__ = "0.1.0"

if "tensorflow" in sys.modules and os.environ.get("TF_USE_LEGACY_KERAS") != "1":
    raise ImportError(
        "TensorFlow was imported before ranker, with Keras 3; tensorflow-recommenders needs Keras 2. "
        "Import ranker first, or set TF_USE_LEGACY_KERAS=1 in the environment. In a notebook: restart the kernel, and "
        "run `import ranker` in a cell before TensorFlow, Keras and anything that imports them."
    )
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
if os.environ["TF_USE_LEGACY_KERAS"] != "1":
    raise ImportError(
        f"TF_USE_LEGACY_KERAS is {os.environ['TF_USE_LEGACY_KERAS']!r}; "
        "tensorflow-recommenders needs Keras 2: set it to 1, or leave it unset."
    )

# ONNX Runtime sends telemetry unless this is set before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def load(
    path: str | Path,
    *,
    engine: str = "auto",
    device: str = "cpu",
    threads: int = 0,
    precision: str = "float32",
    precision_min_ndcg: float = 0.999,
) -> "Model":
    """Load an artifact for scoring and ranking in this process; needs no TensorFlow.

    Parameters, errors and methods are those of :meth:`ranker.inference.Model.load`.
    """
    from ranker.inference import Model  # lazy, so that importing the package stays light

    return Model.load(
        path,
        engine=engine,
        device=device,
        threads=threads,
        precision=precision,
        precision_min_ndcg=precision_min_ndcg,
    )
