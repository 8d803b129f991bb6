"""The schema of a log: features of context and candidates, and the tasks to predict.

All models are closed and frozen: unknown keys are errors, and validated models are immutable.
"""

import operator
from collections.abc import Iterator
from functools import reduce
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self, TypeAlias

from pydantic import ConfigDict, Field, model_validator

from ranker.config.closed import Closed, ColumnName, Formula, Name, formula
from ranker.encoding.kinds import FEATURE_KINDS, FeatureKind, Numeric
from ranker.encoding.layout import Side, Span
from ranker.matches import Match, MatchInput, check_matches, match_inputs
from ranker.registry import require_known
from ranker.tasks import TASK_KINDS, Binary, Regression, Task

__all__ = [
    "Binary",
    "Closed",
    "Feature",
    "LabelStatistics",
    "ListInput",
    "Match",
    "Measure",
    "Regression",
    "Schema",
    "Side",
    "Task",
    "WithinList",
]

Measure: TypeAlias = Literal["rank", "minus_mean", "ratio_to_max", "z_score", "share_of_same"]
"""How a value compares with those of the other candidates of its list."""

if TYPE_CHECKING:
    Feature: TypeAlias = FeatureKind
    TaskChoice: TypeAlias = Task
else:  # a union of all registered kinds, so that a new kind needs no change here
    Feature = Annotated[reduce(operator.or_, FEATURE_KINDS.values()), Field(discriminator="kind")]
    TaskChoice = Annotated[reduce(operator.or_, TASK_KINDS.values()), Field(discriminator="kind")]
Features = dict[Name, Feature]


class LabelStatistics(Closed):
    """Smoothed count and mean of labels per value of a feature, as features themselves.

    For a value seen n times with label sum s the mean is ``(s + smoothing * prior) / (n + smoothing)``.
    Training rows get statistics without their own fold, so that no row sees its own label; served rows get all folds.
    """

    of: tuple[str | tuple[str, ...], ...] = Field(
        min_length=1, description="Categorical features, or lists of them for their combinations."
    )
    labels: tuple[str, ...] | None = Field(
        None, min_length=1, description="Tasks whose labels are averaged; all by default."
    )
    smoothing: float = Field(20.0, gt=0, description="Prior weight, in rows, added to each value.")
    folds: int = Field(10, ge=2, le=100, description="Number of folds of training rows.")
    fold_by: ColumnName | None = Field(
        None,
        description="Rows with equal values in this column share a fold; with a date, rows never see labels of their "
        "own day. By default folds are random. A fit that carries an artifact on folds by day.",
    )
    half_life: float | None = Field(
        None, gt=0, description="Days after which a row counts half; by default all rows count the same."
    )
    windows: tuple[Annotated[int, Field(ge=1, le=366)], ...] = Field(
        (), description="The same statistics again, over so many days before each row's day."
    )
    half_lives: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (),
        description="The same statistics again, over all days before each row's day, with weights that halve every "
        "so many days.",
    )
    past_only: bool = Field(
        False,
        description="Training rows get statistics of the days before their own only, as in serving, instead of all "
        "other folds.",
    )

    transform: Literal["standardise", "piecewise_linear"] = Field(
        "standardise", description="piecewise_linear: how far each quantile bin is filled, as of a numeric feature."
    )
    bins: int = Field(16, ge=2, le=256, description="Number of quantile bins, for transform: piecewise_linear.")

    @property
    def fitted_bins(self) -> int | None:
        """Number of bins of each input, if it is encoded piecewise linearly."""
        return self.bins if self.transform == "piecewise_linear" else None

    @property
    def recent_spans(self) -> tuple[Span, ...]:
        """Spans of past days besides the statistics of all days: windows, then half-lives."""
        windows = tuple(Span(window=window) for window in self.windows)
        return windows + tuple(Span(half_life=half_life) for half_life in self.half_lives)

    @property
    def past_spans(self) -> tuple[Span, ...]:
        """All spans of past days, with all past days first under ``past_only``."""
        return (*([Span(half_life=self.half_life)] if self.past_only else []), *self.recent_spans)

    def key_features(self) -> tuple[tuple[str, ...], ...]:
        """Each entry of ``of`` as a tuple of feature names."""
        return tuple((entry,) if isinstance(entry, str) else entry for entry in self.of)


class ListInput(Numeric):
    """A number that is computed from the candidates of a list, standardised.

    It is missing where the feature that it is computed from is, which has a flag or a row for that.
    """

    flags_missing: ClassVar[bool] = False


class WithinList(Closed):
    """Inputs that compare each candidate with all candidates of its list: of its request, or of its rows in a log."""

    model_config = ConfigDict(serialize_by_alias=True)

    list_by: ColumnName | tuple[ColumnName, ...] = Field(
        description="Column, or columns, of the log whose values name the list that a row belongs to, such as "
        "request_id. Requests do not send it: all of their candidates are one list."
    )
    of: tuple[str, ...] = Field((), description="Numeric and categorical candidate features.")
    measures: tuple[Measure, ...] = Field(
        ("rank", "minus_mean", "ratio_to_max", "z_score", "share_of_same"),
        alias="as",
        min_length=1,
        description="What is computed of each of them. rank: from 0 for the smallest to 1 for the largest number; "
        "equal ones share the mean of their ranks. minus_mean: the difference to the mean. ratio_to_max: the ratio to "
        "the largest absolute value. z_score: the difference to the mean in standard deviations. share_of_same: the "
        "share of the candidates with the same value; the only one for categorical features.",
    )
    list_size: bool = Field(True, description="Whether log(1 + number of candidates) is an input, too.")

    @property
    def list_columns(self) -> tuple[str, ...]:
        """The columns of ``list_by``."""
        return (self.list_by,) if isinstance(self.list_by, str) else self.list_by

    @property
    def of_numbers(self) -> tuple[Measure, ...]:
        """Measures of numeric features."""
        return self.measures

    @property
    def of_categories(self) -> tuple[Measure, ...]:
        """Measures of categorical features."""
        return tuple(measure for measure in self.measures if measure == SAME)


SAME: Measure = "share_of_same"
"""The measure that needs no numbers."""
LIST_SIZE = "within_list.list_size"
"""Name of the input with the size of the list."""


def list_input(feature: str, measure: Measure) -> str:
    """Name of an input within the list: ``within_list(price).rank``; no feature can have it."""
    return f"within_list({feature}).{measure}"


class Schema(Closed):
    """Features by side, and tasks, in the order of stacked arrays and scores."""

    context: Features = Field(default_factory=dict, description="Features with one value per request.")
    candidate: Features = Field(default_factory=dict, description="Features with one value per item.")
    candidate_id: str | None = Field(
        None, description="The candidate feature that identifies items in requests and responses."
    )
    tasks: dict[Name, TaskChoice] = Field(min_length=1, description="The objectives, by name.")
    label_statistics: LabelStatistics | None = None
    within_list: WithinList | None = None
    matches: tuple[Match, ...] = Field(
        (), description="Inputs that look the value of a candidate feature up in lists of the context."
    )
    sample_weight: Formula | None = Field(
        None, description="Formula of columns: weight of each row in the training losses of all tasks, at least 0."
    )
    known_before: tuple[ColumnName, ...] = Field(
        (),
        description="Columns of formulas that are known before the user responds, such as a video's duration in "
        "watch_time / duration; features may read them.",
    )

    @property
    def features(self) -> dict[str, Feature]:
        """Every feature by name, the context's first."""
        return {**self.context, **self.candidate}

    @property
    def list_inputs(self) -> dict[str, ListInput]:
        """By name, inputs that are computed from the candidates of a list; each is its own column."""
        within = self.within_list
        if within is None:
            return {}
        names = [
            list_input(feature, measure)
            for feature in within.of
            for measure in (within.of_categories if self.candidate[feature].identifies else within.of_numbers)
        ]
        return {name: ListInput(kind="numeric") for name in [*names, *([LIST_SIZE] if within.list_size else [])]}

    @property
    def match_inputs(self) -> dict[str, MatchInput]:
        """By name, inputs that are computed from a candidate's value and a list of the context."""
        return match_inputs(self.matches, self.context)

    @property
    def inputs(self) -> dict[str, Feature]:
        """Everything that an encoder is fitted for, by name: the features, inputs within lists, and matches."""
        return {**self.features, **self.list_inputs, **self.match_inputs}

    def require_number(self, path: str, feature: str) -> None:
        """Raise ``ValueError``, which begins with ``path``, for a feature that is not packed as one number."""
        known = [name for name, each in self.features.items() if isinstance(each, Numeric) and not each.bucketed]
        require_known(feature, known, path, "a numeric feature, of any transform but buckets")

    def side(self, name: str) -> Side:
        """Return the side an input belongs to."""
        return "context" if name in self.context else "candidate"

    def column(self, name: str) -> str:
        """Return the column of an input."""
        feature = self.features.get(name)
        return name if feature is None else feature.column or name

    def parents(self, task: str) -> Iterator[str]:
        """Yield the tasks a task is conditional on, nearest first."""
        parent = self.tasks[task].given
        while parent is not None:
            yield parent
            parent = self.tasks[parent].given

    def embedding_widths(self) -> set[int]:
        """Embedding widths of all features."""
        widths = (feature.embedding_width for feature in self.features.values())
        return {width for width in widths if width is not None}

    def by_source(self) -> list[tuple[str, Feature]]:
        """All inputs by name; features that use another one's vocabulary come last."""
        return sorted(self.inputs.items(), key=lambda named: named[1].source_of(named[0]) != named[0])

    def input_columns(self) -> list[str]:
        """Distinct log columns that features read."""
        return list(dict.fromkeys(self.column(name) for name in self.features))

    def encoded_columns(self) -> list[str]:
        """Distinct columns that are encoded: those that features read, and the inputs computed within lists."""
        return [*self.input_columns(), *self.list_inputs]

    @model_validator(mode="after")
    def _check_features(self) -> Self:
        for name in self.tasks.keys() & self.features.keys():
            raise ValueError(f"{name!r} is both a feature and a task")
        if not self.candidate:
            raise ValueError("candidate: no features, so all candidates of a request would get the same scores")
        for name in self.context.keys() & self.candidate.keys():
            raise ValueError(f"feature {name!r} is under both context and candidate; it belongs to one side")
        for name, feature in self.features.items():
            feature.check(f"{self.side(name)}.{name}", self.context, self.candidate)
        if self.candidate_id is not None:
            known = [n for n, f in self.candidate.items() if f.identifies]
            require_known(self.candidate_id, known, "candidate_id", "a categorical candidate feature")
            if not self.candidate[self.candidate_id].required:
                raise ValueError(f"candidate.{self.candidate_id}.required: candidate_id names it, so it must be true")
        return self

    @model_validator(mode="after")
    def _check_tasks(self) -> Self:
        for name, task in self.tasks.items():
            if task.reads is not None:
                self.require_number(f"tasks.{name}.duration", task.reads)
            if task.given is None:
                continue
            require_known(task.given, [n for n in self.tasks if n != name], f"tasks.{name}.given", "another task")
            if not self.tasks[task.given].can_condition:
                raise ValueError(f"tasks.{name}.given: {task.given!r} is not a binary task")
        for name in self.tasks:  # all parents exist, so chains can be followed
            seen = {name}
            for parent in self.parents(name):
                if parent in seen:
                    raise ValueError(f"tasks.{name}.given: the chain of conditions has a cycle through {parent!r}")
                seen.add(parent)
        return self

    @model_validator(mode="after")
    def _check_leaks(self) -> Self:
        outcomes, computed = self._outcomes(), self._formula_columns()
        for column in self.known_before:
            if column in outcomes:
                raise ValueError(f"known_before: {column!r} is a task's label or mask")
            require_known(column, list(computed), "known_before", "a column of a label's or a weight's formula")
        for name in self.features:
            column = self.column(name)
            if column in outcomes:
                raise ValueError(f"feature {name!r} reads column {column!r}, which is a task's label or mask")
            if column in computed and column not in self.known_before:
                raise ValueError(
                    f"feature {name!r} reads column {column!r}, which {computed[column]} is computed from; if it is "
                    f"known before the user responds, add known_before: [{column}]"
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
                identifying = [n for n, f in self.features.items() if f.identifies]
                require_known(name, identifying, "label_statistics.of", "a categorical feature")
            if not key or len(set(key)) != len(key):
                raise ValueError(f"label_statistics.of: {list(key)} must name one feature or several different ones")
            if frozenset(key) in seen:
                raise ValueError(f"label_statistics.of: {list(key)} is listed twice")
            seen.add(frozenset(key))
        for name, spans in (("windows", statistics.windows), ("half_lives", statistics.half_lives)):
            for span in spans:
                if spans.count(span) > 1:
                    raise ValueError(f"label_statistics.{name}: {span:g} is listed twice")
        labels = statistics.labels or ()
        for label in labels:
            require_known(label, list(self.tasks), "label_statistics.labels", "a task")
            if labels.count(label) > 1:
                raise ValueError(f"label_statistics.labels: {label!r} is listed twice")
        unknown = self._outcomes() | self._formula_columns().keys() - set(self.known_before)
        if statistics.fold_by in unknown:
            raise ValueError(
                f"label_statistics.fold_by: {statistics.fold_by!r} is a task's label or mask, or a formula's column "
                "that known_before does not list"
            )
        return self

    @model_validator(mode="after")
    def _check_lists(self) -> Self:
        within = self.within_list
        if within is None:
            return self
        if not within.of and not within.list_size:
            raise ValueError("within_list: adds no input; name features in of, or leave list_size true")
        known = [name for name, feature in self.candidate.items() if feature.single_valued]
        for name in within.of:
            require_known(name, known, "within_list.of", "a numeric or categorical candidate feature")
            if self.candidate[name].identifies and not within.of_categories:
                raise ValueError(f"within_list.of: {name!r} is categorical, and as does not list {SAME}")
        for place, names in (("of", within.of), ("as", within.measures), ("list_by", within.list_columns)):
            if twice := [name for name in names if names.count(name) > 1]:
                raise ValueError(f"within_list.{place}: {twice[0]!r} is listed twice")
        if not within.list_columns:
            raise ValueError("within_list.list_by: names no column")
        for column in within.list_columns:
            if column in self._outcomes():
                raise ValueError(f"within_list.list_by: {column!r} is a task's label or mask")
        for name in self.features:
            if self.column(name) in self.list_inputs:
                raise ValueError(
                    f"feature {name!r} reads column {self.column(name)!r}, which is the name of an input that "
                    "within_list computes; rename the column in the log"
                )
        return self

    @model_validator(mode="after")
    def _check_matches(self) -> Self:
        check_matches(self.matches, self.context, self.candidate)
        return self

    def _outcomes(self) -> set[str]:
        """Columns of labels and masks."""
        return {column for name, task in self.tasks.items() for column in task.outcomes(name)}

    def _formula_columns(self) -> dict[str, str]:
        """Columns read by formulas of labels and weights, with the computed quantity."""
        texts = [(f"tasks.{name}", text) for name, task in self.tasks.items() for text in task.formulas()]
        if self.sample_weight is not None:
            texts.append(("sample_weight", self.sample_weight))
        return {column: f"{place} ({text})" for place, text in reversed(texts) for column in formula(text).names}
