"""``ranker-train promote``: compares a new version with the one in service, and decides whether it may replace it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from ranker.artifact import Artifact
from ranker.encoding.within_list import ListInputs
from ranker.engines import ENGINES
from ranker.log_files.csv_types import of_kind, schema_kinds
from ranker.log_files.log_reader import Source
from ranker.registry import alternatives
from training.commands.inputs import Data, Progress, artifact_of, console_of, source_of
from training.config.data import SplitByFiles
from training.config.experiment import ConfigError, Experiment
from training.config.promotion import Bounds, bounds_of, default_bounds, measurable, require_bounds
from training.data.every_row import EveryRow
from training.data.experiment_log import open_log
from training.data.trained_on import check_held_out, held_out, overlap
from training.display import Display, bars, show_notes, text_table
from training.promotion.decide import Decision, How, decide
from training.promotion.rows import paired_rows, read_columns, shared_tasks
from training.reports.promote import (
    CHECK_HEADERS,
    DIFFERENCE_HEADERS,
    RANKING_HEADERS,
    check_lines,
    difference_lines,
    explained,
    ranking_lines,
    to_html,
    verdict,
)


@dataclass(frozen=True)
class PromotionOptions:
    """Options of a promotion.

    Attributes
    ----------
    bounds
        Bounds by measure, such as ``{"click.auc": {"least": -0.001}}``; by default those of the new version's config,
        and if it has none, a default for each objective.
    by
        Columns to slice rows by.
    slice_rows
        Fewest rows of a slice; rarer values are lumped together.
    group_by
        Column whose groups are resampled and ranked; by default the new version's config's. Without one, rows are
        resampled, and there are no rankings.
    level
        Largest probability of refusing a version that meets all bounds.
    bootstrap
        Resamples.
    validation
        Use only the rows that the new version's own split holds out.
    engine
        Engine whose calls are timed: the one that serves; ``auto`` is the service's default.
    """

    bounds: Mapping[str, Any] | None = None
    by: Sequence[str] = ()
    slice_rows: int = 1000
    group_by: str | None = None
    level: float = 0.05
    bootstrap: int = 400
    validation: bool = False
    engine: str = "auto"

    def __post_init__(self) -> None:
        """Raise ``ConfigError`` for a value out of bounds."""
        if not 0 < self.level < 0.5:
            raise ConfigError(f"--level: must be above 0 and below 0.5, got {self.level:g}")
        if not 20 <= self.bootstrap <= 100_000:
            raise ConfigError(f"--bootstrap: must be from 20 to 100000, got {self.bootstrap}")
        if self.slice_rows < 1:
            raise ConfigError(f"--slice-rows: must be at least 1, got {self.slice_rows}")
        if len(set(self.by)) != len(self.by):
            raise ConfigError(f"--by: names a column twice: {', '.join(self.by)}")
        if self.engine != "auto" and self.engine not in ENGINES:
            raise ConfigError(f"--engine: {self.engine!r} is unknown{alternatives(self.engine, ['auto', *ENGINES])}")


@dataclass(frozen=True, eq=False)
class Promotion:
    """A decision about two versions.

    Attributes
    ----------
    new, old
        The artifacts.
    decision
        The verdict, and what it rests on.
    """

    new: Artifact
    old: Artifact
    decision: Decision

    @property
    def promoted(self) -> bool:
        """Whether the new version may take the old one's place."""
        return self.decision.promoted

    @property
    def why(self) -> list[str]:
        """One line per reason against it."""
        return self.decision.why

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {"new": _facts(self.new), "old": _facts(self.old), **self.decision.to_dict()}

    def to_html(self) -> str:
        """Return the page."""
        return to_html(self.decision, _facts(self.new), _facts(self.old))


def promote(
    new: str | Path | Artifact,
    old: str | Path | Artifact,
    data: Data = None,
    options: PromotionOptions | None = None,
    *,
    progress: Progress = True,
) -> Promotion:
    """Score the same rows with two versions, and decide whether the new one may take the old one's place.

    Nothing is written and no service is asked.

    Parameters
    ----------
    new, old
        Folders that ``fit`` exported to, folders of one version, or ``Artifact`` objects.
    data
        A DataFrame, an Arrow table, or files, folders and globs that neither version was trained on; by default those
        of the new version's config.
    options
        Bounds, slices, level.
    progress
        Whether to show progress, or the Rich console to show it on.

    Raises
    ------
    ArtifactError
        If an artifact cannot be read.
    ConfigError
        If a bound or option is invalid for these versions, or they have no objective in common.
    DataError
        If the log cannot be used, or a version's fusion cannot rank it.
    """
    asked, console = options or PromotionOptions(), console_of(progress)
    versions = artifact_of(new), artifact_of(old)
    for version in versions:
        if not version.manifest.experiment:
            raise ConfigError(f"{version.folder}: was exported without its config, so its log cannot be read")
    saved = Experiment.model_validate(versions[0].manifest.experiment)
    shared, _ = shared_tasks(*versions)
    bounds = _bounds(asked, saved, versions)
    if versions[0].folder.resolve() == versions[1].folder.resolve():
        raise ConfigError(f"--against {versions[1].folder}: is the new version itself; name the folder of another one")
    rule = saved.data.split
    if asked.validation and isinstance(rule, SplitByFiles):
        check_held_out(versions[0])
        data = rule.paths  # all of their rows are held out
    with TemporaryDirectory() as folder:
        source = source_of(saved, data, Path(folder), console)
        decision = _decided(versions, saved, source, bounds or default_bounds(shared), asked, console)
    found = Promotion(*versions, decision)
    _print(found, console)
    return found


def _bounds(asked: PromotionOptions, saved: Experiment, versions: tuple[Artifact, Artifact]) -> Bounds:
    """The bounds that are asked for, else those that the config has for objectives of both versions; may be empty."""
    shared, _ = shared_tasks(*versions)
    if asked.bounds is None:
        return {measure: bound for measure, bound in saved.promotion.items() if measurable(measure, shared)}
    bounds = bounds_of(asked.bounds)
    require_bounds(bounds, shared)
    return bounds


def _decided(
    versions: tuple[Artifact, Artifact],
    saved: Experiment,
    source: Source,
    bounds: Bounds,
    asked: PromotionOptions,
    console: Console,
) -> Decision:
    new, old = versions
    group_by = asked.group_by or saved.evaluation.group_by
    more = [*asked.by, *([] if group_by is None else [group_by])]
    log = open_log(saved, source, new.encoder)
    log = log.typed(schema_kinds(old.schema, old.encoder)).typed(of_kind("id", more))
    log = log.with_lists(ListInputs.of_schema(old.schema))
    show_notes(console, log)
    columns, optional = read_columns(new, old, more)
    with Display(console) as display:
        display.expect(len(log))
        if asked.validation and not isinstance(saved.data.split, SplitByFiles):
            chunks = held_out(new, log).validation(columns, optional)
        else:
            chunks = EveryRow(log).validation(columns, optional)
        rows = paired_rows(new, old, chunks, group_by, asked.by, display.rows)
    how = How(asked.level, asked.bootstrap, asked.slice_rows, saved.training.seed, asked.engine)
    columns_of_bar = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with bars(console, *columns_of_bar) as progress:
        bar = progress.add_task("resample", total=asked.bootstrap)
        decision = decide(rows, bounds, asked.by, how, lambda done: progress.update(bar, completed=done))
    unseen = [new, *([old] if _split_alike(new, old) else [])] if asked.validation else []
    cautions = [
        f"{name} version: {text}"
        for name, version in (("new", new), ("old", old))
        if not any(version is one for one in unseen)
        for text in overlap(version, log)
    ]
    return replace(decision, notes=[*decision.notes, *cautions])


def _split_alike(new: Artifact, old: Artifact) -> bool:
    """Whether both versions held out the same rows; a random split depends on row positions, and so on the files."""

    def held(version: Artifact) -> tuple[Any, ...]:
        rule, seen = version.manifest.experiment["data"]["split"], version.manifest.trained_on
        files = [file["digest"] for file in seen.get("files", ())] if rule["by"] == "random" else None
        seed = version.manifest.experiment.get("training", {}).get("seed")
        return rule, seen.get("time"), seen.get("refit", False), files, seed

    return held(new) == held(old)


def _facts(artifact: Artifact) -> dict[str, Any]:
    manifest = artifact.manifest
    return {"folder": str(artifact.folder), "version": manifest.version, "created": manifest.created.isoformat()}


def _print(found: Promotion, console: Console) -> None:
    decision = found.decision
    whole = [one for one in decision.differences if one.slice is None]
    shown = [check for check in decision.checks if check.slice is None or check.refuses]
    tables = (
        (f"{found.new.folder} against {found.old.folder}", DIFFERENCE_HEADERS, difference_lines(whole)),
        ("bounds", CHECK_HEADERS, check_lines(shown)),
        ("rankings", RANKING_HEADERS, ranking_lines(decision.rankings)),
    )
    for title, headers, lines in tables:
        console.print(text_table(title, headers, lines))
    console.print(explained(decision), markup=False)
    for note in decision.notes:
        console.print(note, style="yellow", markup=False)
    console.print(verdict(decision), style="green" if decision.promoted else "red", markup=False)
