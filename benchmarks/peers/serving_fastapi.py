"""A typical FastAPI service: a SavedModel with one input per feature, or ONNX Runtime without the split graph."""

import os
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.peers.serving_scorer import Scorer, answer_of, plain
from ranker.encoding import Layout, Packed

ARTIFACT, PLAIN_MODEL = "SERVING_ARTIFACT", "SERVING_PLAIN_MODEL"
THREADS, DEVICE = "SERVING_THREADS", "SERVING_DEVICE"


class Request(BaseModel):
    """One user and N candidates."""

    context: dict[str, int | float | str]
    candidates: dict[str, list[int] | list[float] | list[str]]


class Ranking(BaseModel):
    """Candidates, best first."""

    model_version: int
    ids: list[int]
    fused: list[float]
    scores: dict[str, list[float]]


class Row(BaseModel):
    """One candidate."""

    id: int
    fused: float
    scores: dict[str, float]


def saved_model_app() -> FastAPI:
    """A SavedModel with a tensor [N] per feature and the context repeated for each candidate; answers in columns."""
    import tensorflow as tf

    threads = int(os.environ[THREADS])
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    scorer = Scorer(os.environ[ARTIFACT], threads=1)
    layout = scorer.artifact.encoder.layout
    loaded = tf.saved_model.load(os.environ[PLAIN_MODEL])
    signature = loaded.signatures["serving_default"]
    app = FastAPI()

    @app.post("/rank")
    def rank(request: Request) -> Ranking:
        values = request.model_dump()
        packed = scorer.encode(values)
        inputs = by_feature(layout, packed)
        scores = signature(**{name: tf.constant(array) for name, array in inputs.items()})["scores"].numpy()
        return Ranking(**plain(answer_of(scorer.artifact, values, scores)))

    app.state.loaded = loaded  # the signature does not keep the model alive
    return app


def onnx_app() -> FastAPI:
    """ONNX Runtime without the split graph, with the context repeated; answers in rows by the default encoder."""
    scorer = Scorer(os.environ[ARTIFACT], threads=int(os.environ[THREADS]), split=False, device=os.environ[DEVICE])
    app = FastAPI()

    @app.post("/rank")
    def rank(request: Request) -> list[Row]:
        values = request.model_dump()
        packed = scorer.encode(values)
        rows = len(packed.candidate_ids)
        joined = packed._replace(
            context_ids=np.repeat(packed.context_ids, rows, axis=0),
            context_numbers=np.repeat(packed.context_numbers, rows, axis=0),
        )
        answer = plain(answer_of(scorer.artifact, values, scorer.score(joined)))
        scores = [dict(zip(answer["scores"], row, strict=True)) for row in zip(*answer["scores"].values(), strict=True)]
        return [Row(id=i, fused=f, scores=s) for i, f, s in zip(answer["ids"], answer["fused"], scores, strict=True)]

    return app


def by_feature(layout: Layout, packed: Packed) -> dict[str, Any]:
    """Convert packed arrays to a column [N] per feature."""
    rows = len(packed.candidate_ids)
    inputs = {}
    for (_, side), ids, numbers in zip(layout.sides(), packed[::2], packed[1::2], strict=True):
        for fields, array in ((side.ids, ids), (side.numbers, numbers)):
            for field in fields:
                inputs[field.feature] = np.broadcast_to(array[:, field.start], rows)
    return inputs


def main(
    artifact: Path,
    port: Annotated[int, typer.Option()],
    model: Annotated[str, typer.Option(help="saved_model or onnx")] = "saved_model",
    plain_model: Annotated[Path | None, typer.Option(help="SavedModel with one input per feature.")] = None,
    workers: int = 1,
    threads: int = 2,
    device: str = "cpu",
) -> None:
    """Serve until stopped."""
    os.environ.update({ARTIFACT: str(artifact), PLAIN_MODEL: str(plain_model), THREADS: str(threads), DEVICE: device})
    uvicorn.run(
        f"benchmarks.peers.serving_fastapi:{model}_app",
        factory=True,
        port=port,
        workers=workers,
        loop="uvloop",
        http="httptools",
        log_level="error",
        access_log=False,
    )


if __name__ == "__main__":
    typer.run(main)
