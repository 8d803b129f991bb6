"""Names of metrics of rankings, as in configs and on command lines: one grammar for all commands.

``click.ndcg@10`` measures a ranking against the column ``click``: in ``search`` the fused ranking, elsewhere that of
the task's own score. ``click.ndcg@10(rel)`` measures the ranking by the task ``click`` against another column,
``fused(default).ndcg@10(rel)`` the ranking by a stored fusion.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ranker.config.closed import formula
from ranker.config.file import ConfigError
from ranker.expressions import Expression, ExpressionError
from ranker.metrics import RANKING_METRICS, RankingMetric
from ranker.registry import alternatives, suggestion
from ranker.schema import Task

METRIC = (
    r"(?:fused\(\s*(?P<fusion>[^()]+?)\s*\)|(?P<word>[A-Za-z_]\w*))"
    r"\.(?P<kind>[a-z_]+)(?:@(?P<k>\d+))?(?:\(\s*(?P<of>[A-Za-z_]\w*)\s*\))?"
)
"""Pattern of a name, for :func:`metric_of`."""
_RELEVANCE = re.compile(r"\s*(?P<name>[A-Za-z_]\w*)\s*=(?P<formula>.*)", re.DOTALL)
Tasks = Mapping[str, Task]


@dataclass(frozen=True)
class Metric:
    """A metric of a ranking against a column.

    Attributes
    ----------
    column
        A task, whose labels are meant, a relevance formula, or another column of the log.
    kind
        Name in ``RANKING_METRICS``.
    k
        Cutoff rank, if any.
    fusion, by
        The stored fusion, or the task, that ranks; by default the task ``column`` itself, or in a search the fusion
        that is searched.
    """

    column: str
    kind: str
    k: int | None = None
    fusion: str | None = None
    by: str | None = None

    @property
    def name(self) -> str:
        """Name on the command line: ``click.auc``, ``fused(default).ndcg@10(watch_time)``."""
        own = self.fusion is None and self.by is None
        return f"{self.column}.{self.key}" if own else f"{self.ranking}.{self.key}({self.column})"

    @property
    def ranking(self) -> str:
        """Name of the ranking: ``fused(default)``, or the task whose own score ranks."""
        return f"fused({self.fusion})" if self.fusion is not None else self.by or self.column

    @property
    def key(self) -> str:
        """Name without ranking and column: ``ndcg@10``."""
        return f"{self.kind}{self._cutoff}"

    @property
    def report_key(self) -> str:
        """Name under which the report of the task ``column`` has it: ``ndcg@10``, ``fused(default).ndcg@10``."""
        return self.key if self.fusion is None else f"{self.ranking}.{self.key}"

    @property
    def title(self) -> str:
        """Display name: ``click AUC``, ``watch_time NDCG@10``."""
        return f"{self.column} {self.short_title}"

    @property
    def short_title(self) -> str:
        """Display name without the column: ``NDCG@10``."""
        return f"{self.definition.title}{self._cutoff}"

    @property
    def definition(self) -> RankingMetric:
        """The entry of ``RANKING_METRICS``."""
        return RANKING_METRICS[self.kind]

    @property
    def _cutoff(self) -> str:
        return "" if self.k is None else f"@{self.k}"


def metric_of(
    option: str,
    found: "re.Match[str]",
    tasks: Tasks,
    fusions: Collection[str] | None = None,
    relevance: Collection[str] = (),
) -> Metric:
    """The metric that a match of ``METRIC`` names.

    ``fusions`` are those that may be named, any by default; ``relevance`` names formulas. Raises ``ConfigError``, which
    begins with ``option``, for an unknown metric, task or fusion, and for a cutoff that is missing or not taken.
    """
    fusion, word, kind, of = found["fusion"], found["word"], found["kind"], found["of"]
    metric = f"{kind}@{found['k']}" if found["k"] else kind
    if fusion is not None and of is None:
        name = f"fused({fusion}).{metric}"
        raise ConfigError(f"{option}: {name} names no column; write {name}({next(iter(tasks))})")
    if fusion is not None and fusions is not None and fusion not in fusions:
        raise ConfigError(f"{option}: the artifact has no fusion {fusion!r}{alternatives(fusion, fusions)}")
    if fusion is None and of is not None and word not in tasks:
        hint = f"fused(NAME).{metric}({of})" if word == "fused" else f"TASK.{metric}({of})"
        raise ConfigError(
            f"{option}: {word!r} has no score to rank by; write {hint}{alternatives(word, tasks, 'tasks')}"
        )
    column = of or word
    by = word if of is not None and fusion is None and word != column else None
    k = _cutoff(option, column, found, tasks.get(column), () if column in relevance else tasks)
    return Metric(column, kind, k, fusion, by)


def parse_metrics(
    option: str, texts: Sequence[str], tasks: Tasks, fusions: Collection[str], relevance: Collection[str] = ()
) -> tuple[Metric, ...]:
    """Parse names, several of them in one text if separated by commas; see :func:`metric_of`."""
    metrics: list[Metric] = []
    for text in (part.strip() for one in texts for part in one.split(",")):
        metric = metric_of(option, _matched(option, text), tasks, fusions, relevance)
        if metric in metrics:
            raise ConfigError(f"{option}: {metric.name} is listed twice")
        metrics.append(metric)
    return tuple(metrics)


def parse_relevance(
    option: str, given: Sequence[str] | Mapping[str, str], taken: Collection[str]
) -> dict[str, Expression]:
    """Formulas of relevance by name, from ``rel = 5*booked + click`` or a mapping.

    Raises ``ConfigError``, also for one of the names ``taken``, which are those of tasks and features.
    """
    formulas: dict[str, Expression] = {}
    for text in [f"{name} = {text}" for name, text in given.items()] if isinstance(given, Mapping) else given:
        found = _RELEVANCE.fullmatch(text)
        if found is None:
            raise ConfigError(f"{option} {text!r}: write NAME = FORMULA, for example 'rel = 5*booked + click'")
        name = found["name"]
        if name in taken or name in formulas:
            why = "given twice" if name in formulas else "the name of a task or feature"
            raise ConfigError(f"{option} {text!r}: {name!r} is {why}; choose another name")
        try:
            formulas[name] = formula(found["formula"])
        except ExpressionError as error:
            raise ConfigError(f"{option} {name}: {error}") from None
    return formulas


def _matched(option: str, text: str) -> "re.Match[str]":
    found = re.fullmatch(METRIC, text)
    if found is None:
        raise ConfigError(
            f"{option}: cannot read {text!r}; write names such as click.ndcg@10 or fused(default).map@5(like), "
            "separated by commas"
        )
    return found


def _cutoff(option: str, column: str, found: "re.Match[str]", task: Task | None, near: Collection[str]) -> int | None:
    """The cutoff of a metric of a column. Raises ``ConfigError`` if the column has no such metric."""
    kind, text = found["kind"], found["k"]
    traits = task.traits if task is not None else None
    fitting = [name for name, metric in RANKING_METRICS.items() if metric.fits(traits)]
    name = f"{column}.{kind}"
    if kind not in fitting:
        hint = suggestion(kind, fitting)
        if kind in RANKING_METRICS and task is None:
            hint = suggestion(column, near) or f"; {column!r} is not a binary task"
        of = f"a {task.kind} task" if task is not None else f"the column {column!r}"
        raise ConfigError(f"{option}: no metric {name!r}{hint} (of {of}: {', '.join(fitting)})")
    cutoff = RANKING_METRICS[kind].cutoff
    if cutoff == "required" and not text:
        raise ConfigError(f"{option} {name}: needs a cutoff k, for example {name}@10")
    if cutoff == "none" and text:
        raise ConfigError(f"{option} {name}@{text}: an AUC takes no cutoff; write {name}")
    if text and not 0 < len(text.lstrip("0")) < 10:
        raise ConfigError(f"{option} {name}@{text:.20}: the cutoff must be at least 1, and below a billion")
    return int(text) if text else None
