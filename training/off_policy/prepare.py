"""Turns exposures into logged requests: rewards, scores, features, and how the logging policy ordered them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from ranker.arrow_columns import ColumnTypeError, to_column
from ranker.artifact import Artifact
from ranker.encoding import ColumnError
from ranker.exposures.columns import CANDIDATE, CONTEXT, ITEM, RAW, SCORE
from ranker.fusion import FusionError
from ranker.fusion.exploration import Exploration
from ranker.inference.pool import fusion_values
from ranker.log_files.errors import DataError
from ranker.prediction.options import PredictOptions
from ranker.prediction.predictor import Predictor
from training.off_policy.logged import Floats, Logged, Orders
from training.off_policy.policies import logged_exploration, logged_plan, orders_of
from training.off_policy.read import Exposures
from training.off_policy.reward import Reward, require_known
from training.off_policy.sample import along_places

CLOSE = 1e-6
"""Relative difference up to which two propensities agree."""


class Agreement(NamedTuple):
    """Shares of requests for which the logging policy, computed again, does what the log tells.

    Attributes
    ----------
    propensities
        With the propensities of all shown places.
    orders
        With the order before exploration, by the logged scores; ``None`` if it could not be computed.
    notes
        Why it could not be computed.
    """

    propensities: float
    orders: float | None
    notes: tuple[str, ...]


def logged_of(exposures: Exposures, artifact: Artifact, reward: Reward) -> Logged:
    """The requests with their rewards. Raises ``DataError`` for a shown item without a reward."""
    starts = exposures.starts
    sizes = np.diff(starts)
    returned = exposures.by_request("returned").to_numpy().astype(np.intp)
    shown = np.minimum(returned, sizes)
    place = np.arange(starts[-1]) - np.repeat(starts[:-1], sizes)
    visible = place < np.repeat(shown, sizes)
    rewards = np.zeros(int(starts[-1]))
    rewards[visible] = reward.of_labels({name: values[visible] for name, values in exposures.labels.items()})
    require_known("--reward", reward, rewards[visible])
    tasks = artifact.manifest.tasks
    calibrated = {task: exposures.numbers(f"{SCORE}{task}") for task in tasks}
    units = exposures.by_request("unit").to_pandas()
    codes = units.factorize()[0].astype(np.intp)
    alone = codes < 0  # without a user, a request stands for itself
    codes[alone] = codes.max(initial=-1) + 1 + np.arange(int(alone.sum()))
    return Logged(
        starts=starts,
        units=codes,
        shown=shown,
        candidates=exposures.by_request("candidates").to_numpy().astype(np.intp),
        rewards=rewards,
        model=reward.of_scores(calibrated) if reward.of_tasks else None,
        scores=logged_scores(exposures, artifact),
        features=logged_features(exposures, artifact),
        ids=exposures.by_request("request_id").to_numpy(zero_copy_only=False),
    )


def logged_scores(exposures: Exposures, artifact: Artifact) -> Floats:
    """Raw scores [N, T]: logged as such where the fusion calibrates, and else as they are in the answer.

    Raises ``DataError`` if an objective has none.
    """
    columns = []
    for task in artifact.manifest.tasks:
        if f"{SCORE}{task}" not in exposures.table.column_names:
            raise DataError(f"the log has no scores of {task!r}: it is of another model than {artifact.folder}")
        score = exposures.numbers(f"{SCORE}{task}")
        if f"{RAW}{task}" in exposures.table.column_names:
            raw = exposures.numbers(f"{RAW}{task}")
            score = np.where(np.isnan(raw), score, raw)
        if np.isnan(score).any():
            raise DataError(f"{int(np.isnan(score).sum()):,} logged items have no score of {task!r}")
        columns.append(score)
    return np.stack(columns, axis=1)


def logged_features(exposures: Exposures, artifact: Artifact) -> dict[str, NDArray[Any]]:
    """Values [N] by feature, of those that fusions may read and that are logged."""
    schema, found = artifact.schema, {}
    for name, feature in schema.features.items():
        column = _column(exposures, artifact, name)
        if column is None or not (feature.single_valued or feature.compared_as is not None):
            continue
        try:
            found[name] = fusion_values(artifact, name, to_column(column, schema.column(name)))
        except (ColumnError, ColumnTypeError) as error:
            raise DataError(f"logged feature {name!r}: {error}") from None
    return found


def rescored(exposures: Exposures, artifact: Artifact) -> Floats:
    """Raw scores [N, T] of another artifact from logged features. Raises ``DataError`` if some are not logged."""
    schema = artifact.schema
    columns: dict[str, Any] = {}
    for name in schema.features:
        column = _column(exposures, artifact, name)
        if column is None:
            raise DataError(
                f"{artifact.folder}: its feature {name!r} is not logged, so that it cannot score logged items; add "
                f"{schema.column(name)!r} to the service's exposures_features"
            )
        columns[schema.column(name)] = column
    predictor = Predictor(artifact, PredictOptions(calibrate=False))
    for name in predictor.columns:
        columns.setdefault(name, pa.array(np.repeat(np.arange(len(exposures)), np.diff(exposures.starts))))
    table = predictor(pa.table(columns))
    return np.stack([table.column(f"score_{task}").to_numpy() for task in artifact.manifest.tasks], axis=1).astype(
        np.float64
    )


def logging_orders(exposures: Exposures, artifact: Artifact, logged: Logged) -> tuple[Orders, Agreement]:
    """How the logging policy ordered the candidates, and how far that agrees with what it does when computed again.

    Raises ``DataError`` if too few candidates are logged to tell their propensities, or if exploration is unknown.
    """
    base = exposures.numbers("base_place").astype(np.intp) - 1
    fused, codes = exposures.numbers("fused"), logged.codes
    names = exposures.by_request("fusion").to_pylist()
    texts = exposures.by_request("parameters").to_pylist()
    fusions = {pair: number for number, pair in enumerate(dict.fromkeys(zip(names, texts, strict=True)))}
    which = np.array([fusions[pair] for pair in zip(names, texts, strict=True)], dtype=np.intp)
    explorations: list[Exploration | None] = []
    free = logged.sizes.copy()
    notes: dict[str, None] = {}
    same, known = np.zeros(len(logged), dtype=bool), np.zeros(len(logged), dtype=bool)
    for (name, text), number in fusions.items():
        try:
            facts: Mapping[str, Any] = orjson.loads(text or "{}")
            explorations.append(logged_exploration(facts))
        except (orjson.JSONDecodeError, FusionError) as error:
            raise DataError(f"column 'parameters', fusion {name!r}: {error}") from None
        requests = which == number
        part = logged.taken(requests)
        rows = requests[codes]
        try:
            plan = logged_plan(name, facts, artifact.fusions)
            again = orders_of(name, plan, part, part.scores, base[rows])
        except (FusionError, DataError) as error:
            notes[str(error)] = None
            continue
        free[requests] = again.free
        wrong = np.bincount(part.codes, again.base != base[rows], len(part)) > 0
        same[requests], known[requests] = ~wrong, ~part.truncated
    orders = Orders(base, fused, free, tuple(explorations), which)
    places = int(logged.shown.max())
    again_, told = along_places(logged, orders), logged.by_place(exposures.numbers("propensity"), places, rest=1.0)
    agree = np.asarray(np.isclose(again_, told, rtol=CLOSE, atol=0).all(axis=1))
    _require_depth(logged, base, [explorations[number] for number in which.tolist()], agree)
    if known.any() and not known.all():
        notes[f"{int((~known).sum()):,} requests with candidates that are not logged"] = None
    return orders, Agreement(float(agree.mean()), float(same[known].mean()) if known.any() else None, tuple(notes))


def _require_depth(
    logged: Logged, base: NDArray[np.intp], explorations: list[Exploration | None], agree: NDArray[np.bool_]
) -> None:
    """Raise ``DataError`` unless the logged candidates of each request are the first before exploration.

    A request whose propensities do not ``agree`` [R] needs all candidates that could have been drawn.
    """
    deepest = np.zeros(len(logged), dtype=np.intp)
    np.maximum.at(deepest, logged.codes, base)
    reach = np.array([0 if one is None else one.reach for one in explorations])
    short = (deepest >= logged.sizes) | (~agree & (logged.sizes < np.minimum(reach, logged.candidates)))
    if short.any():
        number = int(np.flatnonzero(short)[0])
        name = "" if logged.ids is None else f" {logged.ids[number]!r}"
        raise DataError(
            f"request{name} and {int(short.sum()) - 1:,} others log too few of their candidates "
            f"({logged.sizes[number]} of {logged.candidates[number]}) to tell the propensity of other lists: set the "
            f"service's exposures_depth to at least {int(reach.max())}, the first + max_move of exploration, or to the "
            "number of candidates"
        )


def _column(exposures: Exposures, artifact: Artifact, feature: str) -> Any:
    """The logged column of a feature, as an Arrow array [N]; ``None`` if it is not logged."""
    schema, table = artifact.schema, exposures.table
    column = schema.column(feature)
    logged = f"{CONTEXT if feature in schema.context else CANDIDATE}{column}"
    if logged in table.column_names and table.column(logged).null_count < len(table):
        return table.column(logged).combine_chunks()
    if schema.candidate_id is not None and schema.column(schema.candidate_id) == column:
        return table.column(ITEM).combine_chunks()
    return None
