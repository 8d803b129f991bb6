"""Turns logged requests into Arrow record batches, many at once: the thread that does it takes the GIL but little."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from ranker.encoding import Column
from ranker.exposures.columns import CANDIDATE, CONTEXT, ITEM, RAW, REQUEST, ROW, SCORE, WORD
from serving.exposures.arrow_values import arrow_values
from serving.ranking.exposure import Exposure, ExposureColumns

Hash = Callable[[str], str]


class Logged(NamedTuple):
    """One answered request that is to be logged, in the order of answering.

    Attributes
    ----------
    columns
        What is logged of its model.
    time
        When it was answered, in milliseconds since 1970 (UTC).
    request_id, model, version, experiment, unit
        As in the log; the unit is not yet hashed.
    exposure
        Its candidates.
    size
        Bytes that it holds, roughly.
    """

    columns: ExposureColumns
    time: int
    request_id: str
    model: str
    version: int
    experiment: Mapping[str, str | None] | None
    unit: str | None
    exposure: Exposure
    size: int

    @property
    def words(self) -> dict[str, str | None]:
        """The columns that repeat from request to request."""
        experiment = self.experiment or {}
        fusion = self.exposure.fusion
        return {
            "model": self.model,
            "experiment": experiment.get("name"),
            "group": experiment.get("group"),
            "outside": experiment.get("outside"),
            "fusion": fusion["name"],
            "formula": fusion["formula"],
            "parameters": parameters(fusion),
        }


def parameters(fusion: Mapping[str, Any]) -> str:
    """Parameters, re-ranking and exploration of an answer's ``fusion``, as JSON."""
    kept = {name: value for name, value in fusion.items() if name not in ("name", "formula")}
    return orjson.dumps(kept, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def batch_of(requests: Sequence[Logged], hashed: Hash | None) -> Any:
    """Rows of at least one request, all of the same columns; ``hashed`` hashes units."""
    columns = requests[0].columns
    exposures = [request.exposure for request in requests]
    counts = np.array([len(exposure.fused) for exposure in exposures])
    at = np.repeat(np.arange(len(requests)), counts)
    found = {
        **_of_requests(requests, at, hashed),
        ITEM: arrow_values([exposure.ids for exposure in exposures], columns.schema.field(ITEM).type),
        **_of_rows(exposures, counts, at),
        **_of_objectives(exposures, counts, columns.schema.names),
    }
    rows = pa.array(at)
    for name in columns.context:
        kind = columns.schema.field(f"{CONTEXT}{name}").type
        found[f"{CONTEXT}{name}"] = arrow_values(_given(exposures, name, CONTEXT), kind).take(rows)
    for name in columns.candidate:
        kind = columns.schema.field(f"{CANDIDATE}{name}").type
        found[f"{CANDIDATE}{name}"] = arrow_values(_given(exposures, name, CANDIDATE), kind)
    return pa.RecordBatch.from_arrays([found[name] for name in columns.schema.names], schema=columns.schema)


def _of_requests(requests: Sequence[Logged], at: NDArray[np.intp], hashed: Hash | None) -> dict[str, Any]:
    units = [request.unit for request in requests]
    if hashed is not None:
        units = [None if unit is None else hashed(unit) for unit in units]
    texts: dict[str, Sequence[str | None]] = {"request_id": [request.request_id for request in requests], "unit": units}
    numbers = {
        "time": np.array([request.time for request in requests], dtype="datetime64[ms]"),
        "version": np.array([request.version for request in requests], dtype=np.int32),
        "candidates": np.array([request.exposure.candidates for request in requests], dtype=np.int32),
        "returned": np.array([request.exposure.returned for request in requests], dtype=np.int32),
    }
    return {
        **_words(requests, at),
        **{name: _word(values, at) for name, values in texts.items()},
        **{name: pa.array(values[at], REQUEST[name]) for name, values in numbers.items()},
    }


def _words(requests: Sequence[Logged], at: NDArray[np.intp]) -> dict[str, Any]:
    """Dictionary-encoded columns. Requests that share a route and a plan share their words."""
    heads: dict[Any, int] = {}
    kept: list[dict[str, str | None]] = []
    head_of = np.empty(len(requests), dtype=np.intp)
    for i, request in enumerate(requests):
        experiment = request.experiment
        key = (
            request.model,
            id(request.exposure.plan),
            request.exposure.fusion["name"],
            *(() if experiment is None else experiment.values()),
        )
        number = heads.setdefault(key, len(kept))
        if number == len(kept):
            kept.append(request.words)
        head_of[i] = number
    head_at = head_of[at]
    return {name: _word([words[name] for words in kept], head_at) for name in kept[0]}


def _word(values: Sequence[str | None], at: NDArray[np.intp]) -> Any:
    """Dictionary-encoded texts at positions [N]."""
    known = {word: code for code, word in enumerate(dict.fromkeys(value for value in values if value is not None))}
    if not known:
        return pa.nulls(len(at), WORD)
    codes = np.array([-1 if value is None else known[value] for value in values], dtype=np.int32)
    rows = np.zeros(len(at), dtype=np.int32) if codes.max() == codes.min() else codes[at]
    indices = pa.array(rows, mask=rows < 0) if codes.min() < 0 else pa.array(rows)
    return pa.DictionaryArray.from_arrays(indices, arrow_values([[*known]], WORD.value_type))


def _of_rows(exposures: Sequence[Exposure], counts: NDArray[np.intp], at: NDArray[np.intp]) -> dict[str, Any]:
    starts = np.cumsum(counts) - counts
    return {
        "place": pa.array((np.arange(len(at)) - starts[at] + 1).astype(np.int32), ROW["place"]),
        "base_place": _drawn([exposure.base_place for exposure in exposures], counts, ROW["base_place"]),
        "propensity": _drawn([exposure.propensity for exposure in exposures], counts, ROW["propensity"]),
        "fused": pa.array(np.concatenate([exposure.fused for exposure in exposures]), ROW["fused"]),
    }


def _drawn(found: Sequence[NDArray[Any] | None], counts: NDArray[np.intp], kind: Any) -> Any:
    """A column that only some requests have."""
    if all(values is None for values in found):
        return pa.nulls(int(counts.sum()), kind)
    values = np.concatenate([np.zeros(n) if v is None else v for v, n in zip(found, counts.tolist(), strict=True)])
    mask = np.repeat(np.array([each is None for each in found]), counts)
    return pa.array(values, mask=mask).cast(kind)


def _of_objectives(exposures: Sequence[Exposure], counts: NDArray[np.intp], names: Sequence[str]) -> dict[str, Any]:
    objectives = exposures[0].plan.objectives
    scores = np.concatenate([exposure.scores for exposure in exposures])
    found = {
        f"{SCORE}{name}": pa.array(np.ascontiguousarray(scores[:, i]), pa.float32())
        for i, name in enumerate(objectives)
    }
    calibrated = {name: i for i, name in enumerate(objectives) if f"{RAW}{name}" in names}
    for name, i in calibrated.items():
        given = [
            exposure.raw[:, i] if exposure.raw is not None and name in exposure.plan.options.calibration else None
            for exposure in exposures
        ]
        found[f"{RAW}{name}"] = _drawn(given, counts, pa.float32())
    return found


def _given(exposures: Sequence[Exposure], name: str, prefix: str) -> list[Column]:
    """A logged column of each request; nulls where a request has none."""
    found: list[Column] = []
    for exposure in exposures:
        columns, rows = (exposure.context, 1) if prefix == CONTEXT else (exposure.features, len(exposure.fused))
        missing: Column = [None] * rows
        found.append(columns.get(name, missing))
    return found
