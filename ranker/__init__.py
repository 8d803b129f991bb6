"""The ranking library: schema, encoding, models, balancing, fusion, metrics and artifacts.

Importing it selects Keras 2 for TensorFlow, as tensorflow-recommenders requires, and disables ONNX Runtime's telemetry.
It imports nothing else.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ranker.artifact import Artifact
    from ranker.inference import Model
    from ranker.prediction.tables import Data

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


def predict(
    artifact: "str | Path | Artifact",
    data: "Data",
    *,
    rank_by: Sequence[str] | str = (),
    keep: Sequence[str] = (),
    fusion: str | None = None,
    calibrate: bool = True,
    rules: bool = True,
    top_k: int | None = None,
    cascade: bool | None = None,
    engine: str = "auto",
    threads: int = 0,
    ray: str | None = None,
) -> Any:
    """Score rows in bulk, each with its own context, and rank lists of them; needs no TensorFlow.

    Parameters
    ----------
    artifact
        An artifact's folder, the ``output`` of a training run, or a loaded artifact.
    data
        A DataFrame, an Arrow table or record batch, or an iterable of record batches, with the log's columns.
    rank_by
        Columns that name the list of a row; rows of a list must be consecutive. Without them rows are not ranked.
    keep
        Further columns to copy.
    fusion, calibrate, rules, top_k, cascade, engine
        As in :class:`ranker.prediction.options.PredictOptions`.
    threads
        Threads that encode and score; 0 for one per core.
    ray
        Address of a Ray cluster that scores instead, or ``local`` to start Ray on this machine; needs ``ranker[ray]``,
        and a DataFrame or an Arrow table. Results do not depend on it.

    Returns
    -------
    Columns ``score_TASK``, and with ``rank_by`` also ``fused`` and ``rank``, beside the copied ones: as a DataFrame for
    a DataFrame, as a table for a table or batch, else as an iterator of record batches.

    Raises
    ------
    DataError
        For missing columns and invalid values, naming row, column and value.
    ArtifactError, EngineError, FusionError
        As :meth:`load`.
    ClusterError
        If the cluster cannot be used, or fails.
    """
    from ranker.cpus import cores
    from ranker.prediction.options import PredictOptions
    from ranker.prediction.predictor import Predictor
    from ranker.prediction.tables import predict_table

    options = PredictOptions(
        rank_by=(rank_by,) if isinstance(rank_by, str) else tuple(rank_by),
        keep=(keep,) if isinstance(keep, str) else tuple(keep),
        fusion=fusion,
        calibrate=calibrate,
        rules=rules,
        top_k=top_k,
        cascade=cascade,
        engine=engine,
    )
    threads = threads or cores()
    streams = threads if ray is None else 1
    return predict_table(Predictor(artifact, options, streams=streams), data, threads, ray)
