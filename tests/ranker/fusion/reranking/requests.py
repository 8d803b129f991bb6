"""Small requests for tests of re-ranking."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ranker.fusion import Candidates
from ranker.fusion.reranking import STEPS, Readable, Request, Step, rerank

KINDS = {"genre": "category", "author": "category", "price": "number", "tags": "tags", "vector": "vector"}
READABLE = Readable(("click",), ("genre", "author", "price", "is_new", "item_id"), KINDS, "item_id")


def request(fused: Any, **features: Any) -> Request:
    """The candidates of a request in fused order; features are [N] or [N, W]."""
    fused = np.asarray(fused, dtype=np.float64)
    count = len(fused)
    values = {"item_id": np.arange(count), **{name: _array(value) for name, value in features.items()}}
    candidates = Candidates.of(("click",), np.zeros((count, 1)), features=values)
    return Request(READABLE, candidates, np.arange(count), fused)


def _array(value: Any) -> Any:
    listed = value.tolist() if isinstance(value, np.ndarray) else list(value)
    texts = any(
        isinstance(one, str) or one is None for row in listed for one in (row if isinstance(row, list) else [row])
    )
    return np.array(listed, dtype=object if texts else np.float64)


def step(kind: str, **options: Any) -> Step:
    """A checked step."""
    made = STEPS[kind].model_validate({"kind": kind, **options})
    made.check(READABLE)
    return made


def order(asked: Request, *steps: Step) -> list[int]:
    """Places of the candidates after some steps."""
    return rerank(named(*steps), asked).order.tolist()


def named(*steps: Step) -> Mapping[str, Step]:
    """Steps named a, b, ..."""
    return dict(zip("abcdefgh", steps, strict=False))
