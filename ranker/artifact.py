"""Save and load artifacts: a folder with everything a server needs, and a checksum per file.

::

    3/
      manifest.json   format and package versions, schema, metrics, SHA-256 of every other file
      model.onnx      the served graph: packed arrays -> scores [N, T]
      model.tables/   rows of large embedding tables, beside the graph; see ``ranker.engines.row_tables``
      saved_model/    the same graph as a TensorFlow SavedModel, for reference
      encoder.json    fitted encoding, with encoder.npz and a file in encoder/ for each large array
      fusion.json     the default fusion and others by name: config and fitted state
      golden.json     requests and the Keras model's scores
      sample.json.gz  a sample of requests with the model's scores, to measure agreement; missing in older artifacts
      report.json     with report.npz: a sample of validation rows and the training curves, for reports only
      scores.json     distribution of validation scores, for drift detection; missing in older artifacts
      state/          optional: what a later fit needs to carry the model on; never read in serving
      student.onnx    optional: a small model that chooses what the full one scores, with student.json, student.tables/

Nothing is pickled. A version is written under a temporary name and then renamed, so that no version is ever partial.
Exports into one folder share a lock; an export that runs alone removes leftovers of killed exports.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from ranker.artifact_files import MANIFEST as MANIFEST
from ranker.artifact_files import NUMBER, TABLE_FACTS, TABLES, FileError, Verified, chunk_digests, digest, verify
from ranker.config.closed import Closed
from ranker.encoding import Column, Encoder, Ragged, Text, from_state, to_state
from ranker.encoding.columns import microseconds
from ranker.encoding.saved_arrays import LARGE, read_arrays, write_arrays
from ranker.file_locks import lock
from ranker.fusion import DEFAULT, Plan, StoredFusion, plan_for
from ranker.metrics import SHIFT, Spread
from ranker.schema import Schema
from ranker.student import Student
from ranker.urls import is_remote, normal

FORMAT = 2
MAPPED_FORMAT = 3
"""Format of an artifact with mapped files or checksums of chunks; earlier versions of ranker cannot read it."""
TOLERANCE = 1e-5
"""Maximum :func:`difference` between an engine's CPU scores and the Keras model's."""
MODEL = "model.onnx"
SAVED_MODEL = "saved_model"
SCORES = "scores.json"
STATE = "state"
STUDENT, STUDENT_MODEL = "student.json", "student.onnx"
STUDENT_TABLES = Path(STUDENT_MODEL).with_suffix(TABLES).name
WRITING = ".writing-"
EXPORT_LOCK = ".export.lock"


class ArtifactError(ValueError):
    """An artifact that cannot be read or must not be served; the message says which file and why."""


class Parent(Closed):
    """The artifact that a fit carried on."""

    version: int = Field(description="Its number.")
    created: datetime
    manifest: str = Field(description="SHA-256 of its manifest.json.")


class Chain(Closed):
    """The fits that carried each other on, up to this artifact."""

    parent: Parent
    fits: int = Field(description="Number of fits.")
    days: int = Field(description="Days from the first to the last row of all fits; fits, where no column has days.")


class Refit(Closed):
    """A second training of the model, on all rows, for as many epochs as the first one found to be best.

    Metrics, calibration, fusions and the distribution of scores are those of the first training, on rows that it held
    out.
    """

    epochs: int = Field(description="Passes over the rows.")
    rows: int = Field(description="Rows that the model was trained on.")
    first_rows: int = Field(description="Rows that the first training learned from.")

    def __str__(self) -> str:
        return (
            f"refit: the model was trained again on all {self.rows:,} rows for {self.epochs} epoch(s); metrics and "
            f"calibration are those of the first training, on {self.first_rows:,} rows"
        )


class Manifest(Closed):
    """Content of ``manifest.json``."""

    format: int = Field(description="Version of the artifact format.")
    version: int = Field(description="Number of the artifact; each export increments it.")
    created: datetime
    tasks: tuple[str, ...] = Field(description="Order of the model's scores.")
    log_schema: Schema = Field(alias="schema")
    metrics: dict[str, Any] = Field(description="Validation metrics by task.")
    gates: dict[str, Any] = Field(default_factory=dict, description="Gate statistics on validation rows.")
    experiment: dict[str, Any] = Field(description="The config the model was trained with.")
    trained_on: dict[str, Any] = Field(
        default_factory=dict, description="Files and time range of the training rows; empty if unknown."
    )
    chain: Chain | None = Field(None, description="The artifact that the fit carried on, if any.")
    refit: Refit | None = Field(None, description="Set if the model was trained again on all rows.")
    packages: dict[str, str] = Field(description="Package versions at export.")
    files: dict[str, str] = Field(description="SHA-256 of every other file, by path.")
    chunks: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="SHA-256 of each 64 MiB of the larger files, by path."
    )


class Golden(Closed):
    """One request and the Keras model's scores by task, in candidate order."""

    context: dict[str, Any]
    candidates: dict[str, list[Any]]
    scores: dict[str, list[float]]


@dataclass(frozen=True)
class Artifact:
    """A loaded artifact; the model stays on disk at ``model_path`` for an engine to load."""

    folder: Path
    manifest: Manifest
    encoder: Encoder
    fusions: Mapping[str, Plan]
    golden: tuple[Golden, ...]
    spreads: Mapping[str, Spread] = field(default_factory=dict)
    """Distribution of validation scores by task; empty for older artifacts."""
    student: Student | None = None
    """The model of the first stage of a cascade; ``None`` if none was distilled."""

    @property
    def schema(self) -> Schema:
        """Features and tasks."""
        return self.manifest.log_schema

    @property
    def fusion(self) -> Plan:
        """The fusion for requests that name none."""
        return self.fusions[DEFAULT]

    @property
    def model_path(self) -> Path:
        """The ONNX file."""
        return self.folder / MODEL

    @property
    def student_path(self) -> Path:
        """The student's ONNX file."""
        return self.folder / STUDENT_MODEL

    def student_doubt(self, fusion: str = DEFAULT) -> str | None:
        """Reason not to rank in two stages by default with a fusion of this name; ``None`` if rankings agree.

        A formula that is not among the artifact's fusions counts as the default fusion.
        """
        if self.student is None:
            return "the artifact has no student"
        name = fusion if fusion in self.fusions else DEFAULT
        measured = self.student.fusions.get(name)
        if measured is None or measured.fusion != fusion_digest(self.fusions[name]):
            return f"the agreement of its rankings was not measured with this fusion {name!r}; distil it again"
        return self.student.doubt(name)

    @property
    def saved_model_path(self) -> Path:
        """The SavedModel's folder."""
        return self.folder / SAVED_MODEL


def locate(path: Path) -> Path:
    """Return the folder of a version, or of the highest version in a folder of versions. Raises ``ArtifactError``.

    Of a version at a URL, ``s3://bucket/models``, it is the folder of a local copy.
    """
    if is_remote(path) and not path.exists():
        return _copied(path)
    if path.is_dir() and _has_manifest(path):
        return path
    versions = numbered(path)
    if not versions:
        raise ArtifactError(f"{path}: has no {MANIFEST} and no numbered version of an artifact")
    return versions[max(versions)]


def _copied(url: Path) -> Path:
    try:
        store: Any = import_module("ranker.artifact_store")  # needs PyArrow, which others do not
    except ImportError as error:
        raise ArtifactError(
            f"{normal(url)}: reading from a store needs PyArrow ({error}); pip install pyarrow"
        ) from None
    try:
        copy: Path = store.local_copy(normal(url))
    except ValueError as error:
        raise ArtifactError(str(error)) from None
    return copy


def numbered(root: Path) -> dict[int, Path]:
    """Complete versions in a folder, by number; unreadable ones are included. Raises ``ArtifactError``."""
    try:
        folders = list(root.iterdir()) if root.is_dir() else []
    except OSError as error:
        raise ArtifactError(f"{root}: cannot be read: {error.strerror}") from None
    return {int(f.name): f for f in folders if NUMBER.fullmatch(f.name) and _has_manifest(f)}


def _has_manifest(folder: Path) -> bool:
    try:
        return (folder / MANIFEST).is_file()
    except OSError:  # loading reports the reason
        return True


def load(path: Path, verified: Verified | None = None) -> Artifact:
    """Load a version, or the highest in a folder of versions. Raises ``ArtifactError`` if it is invalid.

    Large files that are ``verified`` and have not changed since are not read.
    """
    folder = locate(path)
    try:
        return _load(folder, verified)
    except OSError as error:
        raise ArtifactError(f"{error.filename or folder}: cannot be read: {error.strerror or error}") from error


def _load(folder: Path, verified: Verified | None) -> Artifact:
    manifest = read_manifest(folder)
    for name in manifest.files:
        if name.startswith("/") or ".." in name.split("/"):
            raise ArtifactError(f"{folder / MANIFEST}: lists {name!r}, which is not a file of the artifact")
    try:
        verify(
            folder,
            {name: sha for name, sha in manifest.files.items() if not _of_state(name)},
            manifest.chunks,
            verified,
        )
    except FileError as error:
        raise ArtifactError(str(error)) from None
    for name in (MODEL, "encoder.json", "encoder.npz", "fusion.json", "golden.json"):
        if name not in manifest.files:
            raise ArtifactError(f"{folder / MANIFEST}: does not list {name}")
    for model in (MODEL, STUDENT_MODEL):
        facts = f"{Path(model).stem}{TABLES}/{TABLE_FACTS}"  # an engine reads it if it is there
        if facts not in manifest.files and (folder / facts).exists():
            raise ArtifactError(f"{folder / facts}: is not listed by the manifest, so nothing verifies it; remove it")
    try:
        state = orjson.loads((folder / "encoder.json").read_bytes())
        encoder = from_state(manifest.log_schema, state, read_arrays(folder, manifest.files))
        golden = orjson.loads((folder / "golden.json").read_bytes())
        return Artifact(
            folder=folder,
            manifest=manifest,
            encoder=encoder,
            fusions=_fusions(manifest.log_schema, (folder / "fusion.json").read_bytes()),
            golden=tuple(Golden.model_validate(request) for request in golden),
            spreads=_spreads(folder / SCORES) if SCORES in manifest.files else {},
            student=_student(folder, manifest, len(golden)) if STUDENT in manifest.files else None,
        )
    except (KeyError, ValueError, TypeError) as error:
        raise ArtifactError(f"{folder}: cannot be read: {type(error).__name__}: {error}") from error


def verify_state(artifact: Artifact) -> None:
    """Raise ``ArtifactError`` if a file of the folder ``state`` is missing or differs; loading does not read it."""
    manifest = artifact.manifest
    try:
        verify(artifact.folder, {n: sha for n, sha in manifest.files.items() if _of_state(n)}, manifest.chunks)
    except FileError as error:
        raise ArtifactError(str(error)) from None


def _of_state(name: str) -> bool:
    return name.startswith(f"{STATE}/")


def _spreads(file: Path) -> dict[str, Spread]:
    stored = orjson.loads(file.read_bytes())
    return {
        task: Spread(np.array(s["edges"], float), np.array(s["shares"], float), float(s.get("threshold", SHIFT)))
        for task, s in stored.items()
    }


def _student(folder: Path, manifest: Manifest, requests: int) -> Student:
    if STUDENT_MODEL not in manifest.files:
        raise ValueError(f"{MANIFEST} lists {STUDENT}, but not {STUDENT_MODEL}")
    student = Student.model_validate_json((folder / STUDENT).read_bytes())
    if len(student.golden) != requests or any(set(scores) != set(manifest.tasks) for scores in student.golden):
        raise ValueError(f"{STUDENT} must have scores of {', '.join(manifest.tasks)} for {requests} golden requests")
    return student


def fusion_digest(plan: Plan) -> str:
    """SHA-256 of a fusion as it is stored, without re-ranking and exploration: students are measured before them."""
    stored = plan.stored().model_dump(mode="json", exclude={"options": {"rerank", "explore"}})
    return hashlib.sha256(orjson.dumps(stored, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _fusions(schema: Schema, raw: bytes) -> dict[str, Plan]:
    plans = {name: plan_for(schema, StoredFusion.model_validate(f)) for name, f in orjson.loads(raw).items()}
    if DEFAULT not in plans:
        raise ValueError(f"fusion.json has no fusion named {DEFAULT!r}")
    return plans


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a version, not verified against its files. Raises ``ArtifactError`` if it cannot be read."""
    file = folder / MANIFEST
    try:
        raw = orjson.loads(file.read_bytes())
        version = raw.get("format") if isinstance(raw, dict) else None
        if version not in (FORMAT, MAPPED_FORMAT):
            reads = f"formats {FORMAT} and {MAPPED_FORMAT}"
            raise ArtifactError(f"{file}: format {version!r}; this version of ranker reads {reads}")
        return Manifest.model_validate_json(file.read_bytes())
    except (OSError, orjson.JSONDecodeError, ValidationError) as error:
        raise ArtifactError(f"{file}: cannot be read: {error}") from error


@contextmanager
def new_version(root: Path) -> Iterator[Path]:
    """Yield a temporary folder; it becomes the next numbered version only if ``seal`` is called on it."""
    with scratch(root) as folder:
        yield folder
        if not (folder / MANIFEST).is_file():
            raise ArtifactError(f"{folder}: was not sealed")
        folder.chmod(0o755)
        os.replace(folder, root / orjson.loads((folder / MANIFEST).read_bytes())["version"].__str__())


@contextmanager
def scratch(root: Path) -> Iterator[Path]:
    """Yield a temporary folder below ``root``; what a killed process leaves of it is removed by a later export."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / EXPORT_LOCK).open("a") as held:
        _remove_abandoned(root, held)
        folder = Path(tempfile.mkdtemp(prefix=WRITING, dir=root))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(root: Path, held: TextIO) -> None:
    """Take the shared export lock; before that, if no other export runs, remove leftovers of killed ones.

    On a file system without locks nothing is removed.
    """
    with suppress(OSError):
        if lock(held, wait=False):
            for folder in root.glob(f"{WRITING}*"):
                shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        lock(held, shared=True)


def write_parts(
    folder: Path,
    encoder: Encoder,
    fusions: Mapping[str, Plan],
    golden: tuple[Golden, ...],
    spreads: Mapping[str, Spread],
) -> None:
    """Write everything but the model and the manifest."""
    state, arrays = to_state(encoder)
    (folder / "encoder.json").write_bytes(orjson.dumps(state))
    write_arrays(folder, arrays)
    stored = {name: plan.stored().model_dump(mode="json") for name, plan in fusions.items()}
    (folder / "fusion.json").write_bytes(orjson.dumps(stored, option=orjson.OPT_INDENT_2))
    requests = [request.model_dump() for request in golden]
    (folder / "golden.json").write_bytes(orjson.dumps(requests, option=orjson.OPT_SERIALIZE_NUMPY))
    by_task = {task: spread._asdict() for task, spread in spreads.items()}
    (folder / SCORES).write_bytes(orjson.dumps(by_task, option=orjson.OPT_SERIALIZE_NUMPY))


def seal(folder: Path, root: Path, manifest: Mapping[str, Any]) -> Manifest:
    """Write the manifest, with checksums of all files in ``folder`` and the next free number below ``root``.

    The number is also above that of the version it carries on, which may be in another folder.
    """
    files = {f.relative_to(folder).as_posix(): f for f in sorted(folder.rglob("*")) if f.is_file()}
    carried = Chain.model_validate(manifest["chain"]) if manifest.get("chain") else None
    mapped = any(name.startswith(f"{LARGE}/") or f"{TABLES}/" in name for name in files)
    chunks = {name: parts for name, file in files.items() if (parts := chunk_digests(file))}
    sealed = Manifest.model_validate(
        {
            **manifest,
            "format": MAPPED_FORMAT if mapped or chunks else FORMAT,
            "version": max([*numbered(root), carried.parent.version if carried else 0], default=0) + 1,
            "files": {name: digest(file) for name, file in files.items()},
            "chunks": chunks,
        }
    )
    unset = {name for name in ("chunks", "chain", "refit") if not getattr(sealed, name)}  # earlier versions know none
    text = sealed.model_dump_json(by_alias=True, indent=2, exclude=unset)
    (folder / MANIFEST).write_text(text)
    return sealed


def with_fusions(
    artifact: Artifact, fusions: Mapping[str, Plan], experiment: Mapping[str, Any], root: Path
) -> Artifact:
    """Write the same model with other fusions and their config as the next numbered version below ``root``."""
    with new_version(root) as folder:
        _copy(artifact, folder)
        write_parts(folder, artifact.encoder, fusions, artifact.golden, artifact.spreads)
        about = artifact.manifest.model_dump(mode="json", by_alias=True)
        manifest = seal(folder, root, {**about, "created": datetime.now(UTC), "experiment": dict(experiment)})
    return load(root / str(manifest.version))


def with_student(artifact: Artifact, student: Student, graph: Path, root: Path) -> Artifact:
    """Write the same model with a student as the next numbered version below ``root``.

    ``graph`` is the student's ONNX file, with the tables beside it.
    """
    with new_version(root) as folder:
        _copy(artifact, folder, without=(STUDENT, STUDENT_MODEL, STUDENT_TABLES))
        shutil.copyfile(graph, folder / STUDENT_MODEL)
        tables = graph.with_suffix(TABLES)
        if tables.is_dir():
            shutil.copytree(tables, folder / STUDENT_TABLES)
        (folder / STUDENT).write_text(student.model_dump_json(indent=2), encoding="utf-8")
        about = artifact.manifest.model_dump(mode="json", by_alias=True)
        manifest = seal(folder, root, {**about, "created": datetime.now(UTC)})
    return load(root / str(manifest.version))


def _copy(artifact: Artifact, folder: Path, without: Sequence[str] = ()) -> None:
    """Copy the files that the manifest lists, except those in a folder or of a name ``without``, and nothing else.

    A deployed copy may lack the folder ``state``.
    """
    for name in artifact.manifest.files:
        if name.split("/")[0] not in without and not (_of_state(name) and not (artifact.folder / name).exists()):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(artifact.folder / name, folder / name)


def difference(scores: NDArray[Any], expected: NDArray[Any]) -> float:
    """Largest difference of scores [N, T]: absolute up to 1, as for probabilities, relative above.

    Regression scores are in the label's unit, such as seconds, so they may be of any size.
    """
    return float(np.max(np.abs(scores - expected) / np.maximum(np.abs(expected), 1.0), initial=0.0))


def to_json(column: Column) -> list[Any]:
    """Convert a column to JSON values: numbers, strings and lists, ``None`` for missing.

    Times are microseconds since 1970.
    """
    if isinstance(column, Ragged):
        values = to_json(column.values)
        return [values[a:b] for a, b in zip(column.offsets[:-1].tolist(), column.offsets[1:].tolist(), strict=True)]
    if isinstance(column, np.ndarray) and column.dtype.kind == "M":
        column = np.ma.MaskedArray(microseconds(column), np.isnat(column))
    plain = column.tolist() if isinstance(column, np.ndarray | Text) else list(column)
    return [None if isinstance(value, float) and value != value else value for value in plain]
