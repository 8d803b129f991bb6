"""``ranker-train distill``: trains a student on an artifact's scores, measures two-stage rankings, exports both."""

import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson
from rich.console import Console

from ranker.artifact import Artifact, fusion_digest, with_student
from ranker.engines import EngineOptions, engine_of
from ranker.files import replace_file
from ranker.fusion import DEFAULT
from ranker.inference.cascade import SIZES
from ranker.log_files.csv_types import of_kind
from ranker.log_files.log_reader import Log, Source
from ranker.model import RankingModel
from ranker.student import Agreement, FusionAgreement, Student
from training.commands.inputs import Data, Progress, artifact_of, console_of, source_of
from training.config.experiment import ConfigError, Experiment
from training.config.student import StudentOptions
from training.data.batches import EncodedRows
from training.data.cache import digest, files, scored_by
from training.data.experiment_log import open_log
from training.data.split.held_out import Split
from training.data.trained_on import first_split
from training.disk_full import disk_full_as
from training.display import Display, agreement_table, show_notes, status
from training.distillation.agreement import costs, measured, of_fusion, scored
from training.distillation.fit import fit_student
from training.distillation.held_out_rows import HeldOutRows, held_out_rows
from training.distillation.lists import logged_lists, sampled_lists
from training.distillation.rows import scored_pairs
from training.distillation.student import student_experiment
from training.evaluation.onnx_scorer import onnx_scorer
from training.export.student import golden_scores, write_student

WORK = "distill"
"""Folder below the output that holds scored rows and checkpoints until the student is exported."""
KEY, ROWS, CHECKPOINTS, MODEL, FOUND = "key.json", "rows", "checkpoints", "student.onnx", "found.json"


@dataclass(frozen=True)
class DistillOptions:
    """Options of a distillation.

    Attributes
    ----------
    keep
        Share of the candidates that the full model scores by default.
    min_ndcg
        Bound on NDCG@10 at this share, below which the student is not exported.
    candidates, lists
        Length and number of the sampled lists that rankings are measured on.
    group_by
        Column that groups logged rows to lists; by default the config's.
    student
        Architecture and training of the student.
    """

    keep: float = 0.25
    min_ndcg: float = 0.999
    candidates: int = 500
    lists: int = 200
    group_by: str | None = None
    student: StudentOptions = field(default_factory=StudentOptions)

    def __post_init__(self) -> None:
        """Raise ``ConfigError`` for a value out of bounds."""
        for name in ("keep", "min_ndcg"):
            value = getattr(self, name)
            if not 0 < value <= 1:
                raise ConfigError(f"--{name.replace('_', '-')}: must be above 0 and at most 1, got {value:g}")
        for name in ("candidates", "lists"):
            if getattr(self, name) < 1:
                raise ConfigError(f"--{name}: must be at least 1, got {getattr(self, name)}")


class Distillation:
    """A trained student and the agreement of rankings in two stages with the full model's.

    Attributes
    ----------
    artifact
        The artifact of the full model.
    student
        What will be stored with it: share, bound, agreement, golden scores.
    """

    def __init__(self, artifact: Artifact, student: Student, graph: Path, output: Path) -> None:
        self.artifact, self.student = artifact, student
        self._graph, self._output = graph, output

    @property
    def agreement(self) -> tuple[Agreement, ...]:
        """Agreement by share, on sampled and on logged lists, for the default fusion."""
        return self.student.agreement

    @property
    def doubts(self) -> list[str]:
        """Reasons not to rank in two stages by default, of each fusion of the artifact without repetition."""
        doubts = (self.student.doubt(name) for name in self.student.fusions)
        return list(dict.fromkeys(doubt for doubt in doubts if doubt is not None))

    def export(self, output: str | Path | None = None) -> Artifact:
        """Write the artifact with its student as the next version below ``output``, by default the given folder.

        Raises ``DiskFullError``.
        """
        target = Path(output) if output is not None else self._output
        full = f"{target}: no space left on the disk for the export; make room and run this again"
        with disk_full_as(full):
            written = with_student(self.artifact, self.student, self._graph, target)
        self._graph = written.student_path
        shutil.rmtree(self._output / WORK, ignore_errors=True)
        return written


def distill(
    artifact: str | Path | Artifact,
    data: Data = None,
    options: DistillOptions | None = None,
    *,
    output: str | Path,
    progress: Progress = True,
) -> Distillation:
    """Train a student on the full model's scores, and measure the agreement of rankings in two stages.

    Called again with the same artifact, data and options, it resumes an interrupted run.

    Parameters
    ----------
    artifact
        A folder that ``fit`` exported to, the folder of one version, or an ``Artifact``.
    data
        A DataFrame, an Arrow table, or files, folders and globs; by default the config's. The student learns from the
        rows that the model was trained on, and is measured on those that its split holds out. Labels are not read.
    options
        The share to keep, the bound, the lists to measure on, and the student's architecture and training.
    output
        Folder for the next version, and until then for scored rows and checkpoints.
    progress
        Whether to show progress, or the Rich console to show it on.

    Raises
    ------
    ConfigError
        If an option is invalid for the artifact.
    DataError
        If the log cannot be used, or its rows are all held out, or none are.
    ExportError
        If the exported student's scores differ from the trained one's.
    """
    loaded, console, output = artifact_of(artifact), console_of(progress), Path(output)
    if not loaded.manifest.experiment:
        raise ConfigError(f"{loaded.folder}: was exported without its config, so its split is unknown")
    experiment = Experiment.model_validate(loaded.manifest.experiment)
    source = source_of(experiment, data, output, console)
    return _distilled(loaded, experiment, options or DistillOptions(), source, output, console)


def _distilled(
    artifact: Artifact, experiment: Experiment, asked: DistillOptions, source: Source, output: Path, console: Console
) -> Distillation:
    student_experiment(artifact, asked.student)  # a mistake is found before rows are scored
    group_by = asked.group_by or experiment.evaluation.group_by
    log = open_log(experiment, source, artifact.encoder).typed(of_kind("id", [group_by]))
    show_notes(console, log)
    split = first_split(artifact, log)  # labels are not read, so rows of a refit do for both sides
    work = _work(artifact, experiment, asked.student, log, output / WORK)
    fusions = {name: fusion_digest(plan) for name, plan in artifact.fusions.items()}
    key = digest(asked.keep, asked.min_ndcg, asked.candidates, asked.lists, group_by, fusions)
    student = _found(work / FOUND, key)
    if student is None:
        student = _trained(artifact, asked, log, split, group_by, work, console)
        replace_file(work / FOUND, orjson.dumps({"key": key, "student": student.model_dump(mode="json")}))
    else:
        console.print(f"using the student in {work}", markup=False)
    found = Distillation(artifact, student, work / MODEL, output)
    _print(found, console)
    return found


def _trained(
    artifact: Artifact,
    asked: DistillOptions,
    log: Log,
    split: Split,
    group_by: str | None,
    work: Path,
    console: Console,
) -> Student:
    """Score the rows, train on them, and measure rankings; what an interrupted run has done is used again."""
    with Display(console) as display, disk_full_as(f"{work}: no space left on the disk for the scored rows"):
        display.expect(len(log))
        rows = _rows(work)
        if rows is None:
            score = onnx_scorer(artifact.model_path)
            rows = scored_pairs(artifact, split, asked.student, score, work / ROWS, display.rows)
        else:
            display.note(f"using the scored rows in {work}")
        model = fit_student(artifact, asked.student, rows, work / CHECKPOINTS, display.step)
        held = held_out_rows(artifact, split, group_by, display.rows)
    write_student(model, work / MODEL, artifact)
    return _measured(artifact, asked, held, model, work / MODEL, console)


def _work(artifact: Artifact, experiment: Experiment, student: StudentOptions, log: Log, folder: Path) -> Path:
    """The folder of intermediate files, emptied if it belongs to another model, log or options."""
    facts = [files(experiment, log), student.model_dump(mode="json"), artifact.manifest.trained_on]
    key = digest(scored_by(artifact), *facts)
    mark = folder / KEY
    if not mark.is_file() or orjson.loads(mark.read_bytes()) != key:
        shutil.rmtree(folder, ignore_errors=True)
        replace_file(mark, orjson.dumps(key))
    return folder


def _found(file: Path, key: str) -> Student | None:
    """The student that a run with these options has trained and measured, but not exported."""
    if not file.is_file():
        return None
    stored = orjson.loads(file.read_bytes())
    return Student.model_validate(stored["student"]) if stored["key"] == key else None


def _rows(work: Path) -> EncodedRows | None:
    try:
        return EncodedRows.open(work / ROWS)
    except FileNotFoundError:
        return None


def _measured(
    artifact: Artifact, asked: DistillOptions, held: HeldOutRows, model: RankingModel, path: Path, console: Console
) -> Student:
    """Rank lists of held-out rows in both ways, and time both models in the engine that serves by default."""
    options, keep = EngineOptions(threads=1, sizes=SIZES), asked.keep
    full, small = engine_of("auto", artifact.model_path, options), engine_of("auto", path, options)
    with status(console, "measuring rankings in two stages"):
        long = list(sampled_lists(artifact, held, asked.lists, asked.candidates, asked.student.seed))
        short = list(logged_lists(artifact, held))
        by_length = {"sampled": scored(long, full, small), "logged": scored(short, full, small)}
        prices = costs(long, full, small, keep)
        found = [
            measured("sampled", by_length["sampled"], artifact.fusion, keep, prices),
            measured("logged", by_length["logged"], artifact.fusion, keep),
        ]
        fusions: dict[str, FusionAgreement] = {
            name: of_fusion(by_length["sampled"], plan, keep) for name, plan in artifact.fusions.items()
        }
    return Student(
        created=datetime.now(UTC),
        keep=keep,
        min_ndcg=asked.min_ndcg,
        fusions=fusions,
        agreement=tuple(each for each in found if each is not None),
        golden=golden_scores(model, artifact),
        config=asked.student.model_dump(mode="json"),
    )


def _print(found: Distillation, console: Console) -> None:
    for each in found.agreement:
        console.print(agreement_table(each, found.student.keep))
    others = {name: ndcg.ndcg for name, ndcg in found.student.fusions.items() if name != DEFAULT}
    for name, ndcg in others.items():
        value = "undefined" if ndcg is None else f"{ndcg:.5f}"
        console.print(f"fusion {name}: NDCG@10 {value} at {found.student.keep:g}", markup=False)
    for doubt in found.doubts:
        console.print(doubt, style="yellow", markup=False)
