"""What a log contains: features of the context and of the candidates, and the tasks to predict.

All models are closed and frozen: an unknown key is an error, and nothing changes after validation.
"""

import operator
from collections.abc import Iterator
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from ranker.config.closed import Closed, ColumnName, Formula, Name, formula
from ranker.registry import nearest
from ranker.tasks import TASK_KINDS, Binary, Regression, Task

__all__ = [
    "TARGET_ATTENTION",
    "Binary",
    "Categorical",
    "Closed",
    "Dense",
    "Feature",
    "IdType",
    "LabelStatistics",
    "Multi",
    "Numeric",
    "Regression",
    "Schema",
    "Sequence",
    "Side",
    "Task",
]

if TYPE_CHECKING:
    TaskChoice: TypeAlias = Task
else:  # a union of what the registry holds, so that a new kind needs no line here
    TaskChoice = Annotated[reduce(operator.or_, TASK_KINDS.values()), Field(discriminator="kind")]

Side = Literal["context", "candidate"]
IdType = Literal["integer", "unsigned", "string"]
TARGET_ATTENTION = ("din", "multi_head")
"""Poolings that read the candidate beside the list."""


class _Feature(Closed):
    column: ColumnName | None = Field(None, description="Column of the log; by default the feature's own name.")
    required: bool = Field(
        True,
        description="false: requests, stored users and item files may leave the column out, and its values are then "
        "missing. The training log always has it.",
    )


class _Vocabulary(_Feature):
    type: IdType | None = Field(
        None,
        description="What the values are, in logs, items and requests alike; by default what the log first holds. "
        "string: integers become text, 7 is '7'. integer: text of digits becomes integers, and 02134 is an error. "
        "unsigned: integers from 0 to 2**64 - 1.",
    )
    dimension: int = Field(16, ge=1, le=1024, description="Width of the embedding.")
    min_count: int = Field(1, ge=1, description="Values seen less often share the unknown bucket.")
    max_size: int | None = Field(None, ge=1, description="Keep only so many of the most frequent values.")
    hash_buckets: int | None = Field(
        None, ge=2, le=2**30, description="Hash values into so many buckets instead of keeping a vocabulary."
    )

    @model_validator(mode="after")
    def _one_way_to_index(self) -> Self:
        if self.hash_buckets is not None and (self.min_count != 1 or self.max_size is not None):
            raise ValueError("hash_buckets excludes min_count and max_size: a hashed feature keeps no vocabulary")
        return self


class Categorical(_Vocabulary):
    """One integer or string a row."""

    kind: Literal["categorical"]


class Multi(_Vocabulary):
    """Several values a row, in any order: a list column, or text with a separator."""

    kind: Literal["multi"]
    separator: str | None = Field(None, min_length=1, description="Splits a text column into values.")
    max_length: int = Field(8, ge=1, le=1024, description="Keep the first so many values of a row.")
    pooling: Literal["mean", "sum"] = "mean"


class Sequence(_Feature):
    """Ids in time order, oldest first, that share the embedding table of another feature."""

    kind: Literal["sequence"]
    shares: str = Field(description="The categorical feature whose vocabulary and table these ids use.")
    separator: str | None = Field(None, min_length=1, description="Splits a text column into ids.")
    max_length: int = Field(20, ge=1, le=1024, description="Keep the last so many ids of a row.")
    pooling: Literal["mean", "sum", "din", "multi_head"] = Field(
        "mean",
        description="mean, sum; or target attention: din, multi_head, which weigh the ids by the candidate's own "
        "feature that they share the table of.",
    )
    heads: int = Field(2, ge=1, le=64, description="Attention heads, for pooling: multi_head.")

    @property
    def attends(self) -> bool:
        """Whether the pooling weighs the ids by the candidate."""
        return self.pooling in TARGET_ATTENTION


class Numeric(_Feature):
    """One number a row; null and NaN mean missing."""

    kind: Literal["numeric"]
    transform: Literal["standardise", "log1p", "buckets", "none"] = Field(
        "standardise",
        description="standardise: (x - mean) / sd. log1p: sign(x) log(1 + |x|), then standardised. "
        "buckets: quantile buckets, embedded. none: the value as it is.",
    )
    buckets: int = Field(32, ge=2, le=1024, description="Number of quantile buckets, for transform: buckets.")
    dimension: int = Field(16, ge=1, le=1024, description="Width of the embedding, for transform: buckets.")


class Dense(_Feature):
    """A vector of fixed size a row, for example a content embedding; null means all zeros."""

    kind: Literal["dense"]
    size: int = Field(ge=1, le=65536, description="Length of the vector.")


Feature = Annotated[Categorical | Multi | Sequence | Numeric | Dense, Field(discriminator="kind")]
Features = dict[Name, Feature]


class LabelStatistics(Closed):
    """Smoothed count and mean of labels per value of a feature, as features themselves.

    For a value seen n times with label sum s the mean is ``(s + smoothing * prior) / (n + smoothing)``.
    Training rows get statistics without their own fold, so no row sees its own label; served rows get all.
    """

    of: tuple[str | tuple[str, ...], ...] = Field(
        min_length=1, description="Categorical features, or lists of them for their combinations."
    )
    labels: tuple[str, ...] | None = Field(
        None, min_length=1, description="Tasks whose labels are averaged; all by default."
    )
    smoothing: float = Field(20.0, gt=0, description="Rows of prior added to each value.")
    folds: int = Field(10, ge=2, le=100, description="Number of folds the training rows are divided into.")
    fold_by: ColumnName | None = Field(
        None,
        description="Column whose equal values share a fold, for example the date: rows then never see "
        "labels of their own day. By default rows are divided at random.",
    )

    def key_features(self) -> tuple[tuple[str, ...], ...]:
        """Each entry of ``of`` as a tuple of feature names."""
        return tuple((entry,) if isinstance(entry, str) else entry for entry in self.of)


class Schema(Closed):
    """Features by side and tasks, in the order in which arrays and scores are stacked."""

    context: Features = Field(default_factory=dict, description="Features with one value a request.")
    candidate: Features = Field(default_factory=dict, description="Features with one value an item.")
    candidate_id: str | None = Field(
        None, description="The candidate feature that names an item in requests and responses."
    )
    tasks: dict[Name, TaskChoice] = Field(min_length=1, description="The objectives, by name.")
    label_statistics: LabelStatistics | None = None
    sample_weight: Formula | None = Field(
        None, description="A formula of columns: each row's weight in the training losses of all tasks, at least 0."
    )
    known_before: tuple[ColumnName, ...] = Field(
        (),
        description="Columns of formulas that are known before anyone responds, such as a video's duration in "
        "watch_time / duration, so that features may read them.",
    )

    @property
    def features(self) -> dict[str, Feature]:
        """Every feature by name, the context's first."""
        return {**self.context, **self.candidate}

    def side(self, name: str) -> Side:
        """Return the side a feature belongs to."""
        return "context" if name in self.context else "candidate"

    def column(self, name: str) -> str:
        """Return the log's column of a feature."""
        return self.features[name].column or name

    def parents(self, task: str) -> Iterator[str]:
        """Yield the tasks a task is conditional on, nearest first."""
        parent = self.tasks[task].given
        while parent is not None:
            yield parent
            parent = self.tasks[parent].given

    def embedding_widths(self) -> set[int]:
        """Widths of the embeddings that features have."""
        bucketed = [f for f in self.features.values() if isinstance(f, Numeric) and f.transform == "buckets"]
        coded = [f for f in self.features.values() if isinstance(f, Categorical | Multi)]
        return {feature.dimension for feature in [*coded, *bucketed]}

    def input_columns(self) -> list[str]:
        """Columns of the log that features read, without repeats."""
        return list(dict.fromkeys(self.column(name) for name in self.features))

    @model_validator(mode="after")
    def _check_features(self) -> Self:
        for name in self.tasks.keys() & self.features.keys():
            raise ValueError(f"{name!r} is both a feature and a task")
        if not self.candidate:
            raise ValueError("candidate: no features, so all candidates of a request would get the same scores")
        for name in self.context.keys() & self.candidate.keys():
            raise ValueError(f"feature {name!r} is under both context and candidate; it belongs to one side")
        for name, feature in self.features.items():
            if isinstance(feature, Sequence):
                path = f"{self.side(name)}.{name}"
                self._require_vocabulary(feature.shares, f"{path}.shares")
                if feature.attends and feature.shares not in self.candidate:
                    raise ValueError(
                        f"{path}.pooling: {feature.pooling} weighs ids by the candidate, so `shares` must name a "
                        f"candidate feature, and {feature.shares!r} is of the context"
                    )
        if self.candidate_id is not None:
            known = [n for n, f in self.candidate.items() if isinstance(f, Categorical)]
            _require(self.candidate_id, known, "candidate_id", "categorical candidate feature")
            if not self.candidate[self.candidate_id].required:
                raise ValueError(f"candidate.{self.candidate_id}.required: candidate_id names it, so it must be true")
        return self

    @model_validator(mode="after")
    def _check_tasks(self) -> Self:
        for name, task in self.tasks.items():
            if task.given is None:
                continue
            _require(task.given, [n for n in self.tasks if n != name], f"tasks.{name}.given", "other task")
            if not self.tasks[task.given].can_condition:
                raise ValueError(f"tasks.{name}.given: {task.given!r} is not a binary task")
        for name in self.tasks:  # every parent is known by now, so that chains can be followed
            seen = {name}
            for parent in self.parents(name):
                if parent in seen:
                    raise ValueError(f"tasks.{name}.given: the chain of conditions runs in a circle through {parent!r}")
                seen.add(parent)
        return self

    @model_validator(mode="after")
    def _check_leaks(self) -> Self:
        outcomes, computed = self._outcomes(), self._formula_columns()
        for column in self.known_before:
            if column in outcomes:
                raise ValueError(f"known_before: {column!r} is a task's label or mask")
            _require(column, list(computed), "known_before", "column of a label's or a weight's formula")
        for name in self.features:
            column = self.column(name)
            if column in outcomes:
                raise ValueError(f"feature {name!r} reads column {column!r}, which is a task's label or mask")
            if column in computed and column not in self.known_before:
                raise ValueError(
                    f"feature {name!r} reads column {column!r}, which {computed[column]} is computed from; if it is "
                    f"known before anyone responds, say so: known_before: [{column}]"
                )
        return self

    @model_validator(mode="after")
    def _check_statistics(self) -> Self:
        statistics = self.label_statistics
        if statistics is None:
            return self
        seen: set[frozenset[str]] = set()
        for key in statistics.key_features():
            for name in key:
                self._require_vocabulary(name, "label_statistics.of")
            if not key or len(set(key)) != len(key):
                raise ValueError(f"label_statistics.of: {list(key)} must name one feature or several different ones")
            if frozenset(key) in seen:
                raise ValueError(f"label_statistics.of: {list(key)} is listed twice")
            seen.add(frozenset(key))
        labels = statistics.labels or ()
        for label in labels:
            _require(label, list(self.tasks), "label_statistics.labels", "task")
            if labels.count(label) > 1:
                raise ValueError(f"label_statistics.labels: {label!r} is listed twice")
        unknown = self._outcomes() | self._formula_columns().keys() - set(self.known_before)
        if statistics.fold_by in unknown:
            raise ValueError(
                f"label_statistics.fold_by: {statistics.fold_by!r} is a task's label or mask, or a formula's column "
                "that known_before does not list"
            )
        return self

    def _outcomes(self) -> set[str]:
        """Columns that hold labels and masks."""
        return {column for name, task in self.tasks.items() for column in task.outcomes(name)}

    def _formula_columns(self) -> dict[str, str]:
        """Columns that formulas of labels and weights read, with what is computed from them."""
        texts = [(f"tasks.{name}", text) for name, task in self.tasks.items() for text in task.formulas()]
        if self.sample_weight is not None:
            texts.append(("sample_weight", self.sample_weight))
        return {column: f"{place} ({text})" for place, text in reversed(texts) for column in formula(text).names}

    def _require_vocabulary(self, name: str, path: str) -> None:
        known = [n for n, f in self.features.items() if isinstance(f, Categorical)]
        _require(name, known, path, "categorical feature")


def _require(name: str, known: list[str], path: str, kind: str) -> None:
    if name not in known:
        hint = nearest(name, known)
        raise ValueError(f"{path}: {name!r} is no {kind}{'; ' + hint if hint else ''} (known: {', '.join(known)})")
