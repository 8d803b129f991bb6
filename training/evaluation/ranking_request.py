"""Which rankings of a log are measured by which metrics, from names on a command line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ranker.artifact import Artifact
from ranker.expressions import Expression
from ranker.fusion import Plan
from ranker.log_files.csv_types import Kind, formula_kinds, merged, of_kind
from ranker.metrics import RANKING_METRICS
from ranker.registry import alternatives
from training.config.experiment import ConfigError
from training.config.metric_names import Metric, parse_metrics, parse_relevance

ALL = "all"
"""Names every stored fusion."""


@dataclass(frozen=True)
class RankingRequest:
    """Rankings of a log to measure.

    Attributes
    ----------
    fusions
        Fusions that rank, by name.
    metrics
        Metrics, those of one ranking after one another.
    relevance
        Formulas of relevance, by name.
    list_by
        Columns whose values together identify a list.
    features
        Log columns of the features that the fusions read, by feature.
    columns
        Other columns of the log that metrics and formulas read.
    """

    fusions: Mapping[str, Plan]
    metrics: tuple[Metric, ...]
    relevance: Mapping[str, Expression]
    list_by: tuple[str, ...]
    features: Mapping[str, str]
    columns: tuple[str, ...]

    @property
    def log_columns(self) -> list[str]:
        """All columns of the log that it reads, besides the model's."""
        return list(dict.fromkeys([*self.list_by, *self.features.values(), *self.columns]))

    @property
    def kinds(self) -> dict[str, Kind]:
        """Kinds of these columns in CSV files."""
        formulas = formula_kinds(self.relevance.values())
        read = {name: kind for name, kind in formulas.items() if name in self.columns}
        measured, shown = (
            [m.column for m in self.metrics if m.column in self.columns and m.definition.of_items is of_items]
            for of_items in (False, True)
        )
        return merged(read, of_kind("number", measured), of_kind("id", shown), of_kind("id", self.list_by))


def ranking_request(
    artifact: Artifact,
    fusions: Sequence[str],
    metrics: Sequence[str],
    relevance: Sequence[str] | Mapping[str, str],
    list_by: Sequence[str],
    group_by: str | None,
) -> RankingRequest | None:
    """Parse the options of ``evaluate``; ``None`` if they name neither fusions nor metrics.

    A name without a ranking, such as ``click.ndcg@10``, is measured for the task's own score and for every fusion in
    ``fusions``. Without ``metrics``, these are each binary task's NDCG@10 and GAUC, and the graded NDCG@10 of tasks of
    kind relevance. Lists are those of ``group_by`` unless ``list_by`` names columns. Raises ``ConfigError``.
    """
    if not fusions and not metrics:
        for option, given in (("--relevance", relevance), ("--list-by", list_by)):
            if given:
                raise ConfigError(f"{option}: measures nothing by itself; add --fusion all, or --metrics")
        return None
    schema = artifact.schema
    chosen = _fusions(artifact, fusions)
    formulas = parse_relevance("--relevance", relevance, {**schema.tasks, **schema.features})
    texts = metrics or _default_metrics(artifact)
    named = parse_metrics("--metrics", texts, schema.tasks, artifact.fusions, formulas)
    wanted = _of_each_ranking(named, chosen, artifact)
    if not list_by and group_by is None:
        raise ConfigError(
            "--list-by: name the column, or columns, whose equal values are one list, such as a request or search id; "
            "the artifact's config has no evaluation.group_by"
        )
    plans = {metric.fusion: artifact.fusions[metric.fusion] for metric in wanted if metric.fusion is not None}
    features = {feature: schema.column(feature) for plan in plans.values() for feature in plan.features}
    read = [name for expression in formulas.values() for name in expression.names]
    read += [metric.column for metric in wanted if metric.column not in formulas]
    columns = [name for name in dict.fromkeys(read) if name not in schema.tasks]
    lists = tuple(dict.fromkeys(list_by)) or (str(group_by),)
    return RankingRequest(plans, wanted, formulas, lists, features, tuple(columns))


def _fusions(artifact: Artifact, names: Sequence[str]) -> list[str]:
    for name in names:
        if name not in (ALL, *artifact.fusions):
            raise ConfigError(f"--fusion {name}: the artifact has no such fusion{alternatives(name, artifact.fusions)}")
    return list(artifact.fusions) if ALL in names else list(dict.fromkeys(names))


def _default_metrics(artifact: Artifact) -> list[str]:
    by_kind = (("gauc", ("ndcg@10", "gauc")), ("graded_ndcg", ("graded_ndcg@10",)))
    found = [
        f"{name}.{key}"
        for name, task in artifact.schema.tasks.items()
        for metric, keys in by_kind
        for key in keys
        if RANKING_METRICS[metric].needs <= task.traits
    ]
    if not found:
        task = next(iter(artifact.schema.tasks))
        raise ConfigError(f"--metrics: no task is binary or of kind relevance; name metrics, such as {task}.ndcg@10")
    return found


def _of_each_ranking(named: Sequence[Metric], fusions: Sequence[str], artifact: Artifact) -> tuple[Metric, ...]:
    """The metrics by ranking: own scores first, then the fusions; a bare name is one of several rankings."""
    wanted: list[Metric] = []
    for metric in named:
        if metric.fusion is not None or metric.by is not None:
            wanted.append(metric)
            continue
        if metric.column in artifact.schema.tasks:
            wanted.append(metric)
        elif not fusions:
            raise ConfigError(
                f"--metrics: {metric.name} names no ranking, as {metric.column!r} is not a task; add --fusion all, or "
                f"write fused({next(iter(artifact.fusions))}).{metric.key}({metric.column})"
            )
        wanted += [replace(metric, fusion=fusion) for fusion in fusions]
    names = list(dict.fromkeys(metric.ranking for metric in wanted))
    names.sort(key=lambda name: name not in artifact.schema.tasks)
    return tuple(metric for name in names for metric in dict.fromkeys(wanted) if metric.ranking == name)
