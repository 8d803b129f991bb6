"""Records in a run's folder: its exported version, and whether another run may replace it."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from ranker.artifact import MANIFEST, Artifact, ArtifactError, load, numbered, read_manifest
from ranker.artifact_files import digest as digest_of_file
from ranker.files import replace_file
from ranker.log_files.log_reader import DataError, Log
from training.config.experiment import Experiment
from training.data.cache import ROWS, digest, files
from training.data.earlier import Earlier, ParentRecord

RECORD = "run.json"
MEMBERS = "members"
"""Folder of an ensemble's members, below the run's."""
REFIT = "refit"
"""Folder of the second training, on all rows, below the run's."""
EXPORTED = "exported.json"
RESULT = "result.json"
"""Metrics of a finished trial, next to its run."""
SHOWN = 4


def key_of(experiment: Experiment, log: Log, parent: str | None = None) -> str:
    """Digest that identifies a run: config, fingerprints of logs and vectors, and the artifact that it carries on."""
    facts = [experiment.training_content(), files(experiment, log)]
    facts += [Log([path]).fingerprint() for path in experiment.embedding.vectors.values()]
    return digest(*facts, *([] if parent is None else [parent]))


def begin(
    experiment: Experiment,
    log: Log,
    folder: Path,
    rows: Path | None,
    earlier: Earlier | None,
    writes: bool,
    readers: int,
    restart: bool = False,
) -> None:
    """Write the run's record; first delete an earlier run of another config or data, except its encoded rows.

    With ``restart`` any run is deleted, with its rows; processes that train together must have read by then what they
    need of it. Without ``writes``, in a process that trains with the one that writes, raise ``DataError`` if there is
    no record of this run, as if the two have other folders. Raises it also for an unfinished run whose batches had
    another number of readers.
    """
    config = experiment.model_dump(mode="json", by_alias=True)
    key, record_file = key_of(experiment, log, earlier.digest if earlier else None), folder / RECORD
    run = {
        "key": key,
        "experiment": config,
        "data": log.paths(),
        "rows": str(rows.resolve()) if rows else None,
        "parent": earlier.record().model_dump(mode="json") if earlier else None,
        "readers": readers,
    }
    if restart and writes:
        shutil.rmtree(folder, ignore_errors=True)
    before = read(record_file)
    if not writes:
        if before.get("key") != key:
            raise DataError(
                f"{record_file}: is not what worker 0 has written; all workers need the same config and data, and "
                "--output on storage that they share"
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    if before.get("key") != key:
        record_file.unlink(missing_ok=True)  # first, so that an interrupted clean-up is not mistaken for this run
        _keep_rows_alone(folder)
    elif before.get("readers", 1) != readers and (folder / "checkpoints").is_dir():
        raise DataError(
            f"{folder}: the batches of this run have {before.get('readers', 1)} reader(s), and now they would have "
            f"{readers}; set training.distribute.readers to {before.get('readers', 1)}, or `fit --restart`"
        )
    replace_file(record_file, orjson.dumps(run, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS))


def _keep_rows_alone(folder: Path) -> None:
    """Delete all but encoded rows, which tell themselves whom they are for; also in the folder of the refit."""
    for part in folder.iterdir():
        if part.name == REFIT and part.is_dir():
            _keep_rows_alone(part)
        elif part.name not in (ROWS, f"{ROWS}.lock"):
            shutil.rmtree(part) if part.is_dir() else part.unlink()


def parent_of(folder: Path, experiment: Experiment, log: Log, artifact: Artifact) -> ParentRecord | None:
    """What the run in ``folder`` carries on, if it is of this config and data and has already made ``artifact``."""
    record, chain = read(folder / RECORD), artifact.manifest.chain
    if chain is None or not isinstance(record.get("parent"), dict):
        return None
    try:
        parent = ParentRecord.model_validate(record["parent"])
    except ValidationError:
        return None
    own = chain.parent.manifest == parent.manifest
    return parent if own and record.get("key") == key_of(experiment, log, parent.manifest) else None


def found(parent: ParentRecord, artifact: Artifact) -> Artifact:
    """Load a run's parent, from its own folder or beside what the run made. Raises ``ArtifactError``."""
    for folder in (Path(parent.folder), artifact.folder.parent / str(parent.version)):
        with suppress(OSError):
            if digest_of_file(folder / MANIFEST) == parent.manifest:
                return load(folder)
    raise ArtifactError(f"{parent.folder}: is gone or was replaced, and the unfinished run carries it on")


def read(file: Path) -> dict[str, Any]:
    """The JSON object in a file; empty if the file is missing or broken."""
    try:
        content = orjson.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def mark_exported(folder: Path, artifact: Artifact) -> None:
    """Record in a run's folder that it is finished, and which version it was exported as."""
    record = {
        "key": read(folder / RECORD).get("key"),
        "artifact": str(artifact.folder.resolve()),
        "version": artifact.manifest.version,
        "manifest": digest_of_file(artifact.folder / MANIFEST),
    }
    (folder / EXPORTED).write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2))


def exported(folder: Path, key: str) -> tuple[Artifact | None, str | None]:
    """A finished run's artifact, if it still exists, and a message about it; two None for any other run."""
    record = read(folder / EXPORTED)
    if record.get("key") != key or read(folder / RECORD).get("key") != key:
        return None, None
    version = record["version"]
    for target in (folder.parent / str(version), Path(record["artifact"])):  # the output may have been moved or copied
        try:
            if digest_of_file(target / MANIFEST) == record["manifest"]:
                line = f"this run is finished and was exported as version {version} ({target})"
                return load(target), f"{line}; --restart trains it again"
        except (OSError, ArtifactError):
            continue
    return None, f"this run is finished, but its exported version {version} is gone: exporting it again"


def check_replaceable(folder: Path, experiment: Experiment, log: Log, parent: str | None = None) -> str | None:
    """A message if a finished run of another config or data will be replaced.

    Raises ``DataError`` if the other run is unfinished and has checkpoints, which would be lost.
    """
    done = read(folder / EXPORTED).get("key")  # first, as the chief may be replacing a finished run
    record, key = read(folder / RECORD), key_of(experiment, log, parent)
    if not record or record.get("key") == key:
        return None
    differs = _differences(record, experiment, log, parent)
    if not (folder / "checkpoints" / "latest" / "checkpoint").is_file():
        if not (folder / MEMBERS).is_dir():
            return None
        raise DataError(
            f"{folder} holds members of an unfinished ensemble that differs in {differs}. `fit --restart` discards "
            "them; another --output keeps them"
        )
    if done == record.get("key") or _was_exported(folder, record):
        return f"replacing the finished run in {folder}, which differs in {differs}; its artifacts stay"
    raise DataError(
        f"{folder} holds an unfinished run that differs in {differs}. `ranker-train export {folder.parent}` exports "
        "its best epoch so far; `fit --restart` discards it; another --output keeps it"
    )


def _was_exported(folder: Path, record: Mapping[str, Any]) -> bool:
    """Whether a version beside the run is of the run and newer than its last checkpoint.

    A process that is killed right after an export leaves such a run without :data:`EXPORTED`.
    """
    latest = Path("checkpoints", "latest", "checkpoint")
    kept = [file for file in (folder / latest, folder / REFIT / latest) if file.is_file()]
    saved = max((file.stat().st_mtime for file in kept), default=0.0)
    for version in numbered(folder.parent).values():
        with suppress(ArtifactError, OSError):
            manifest = read_manifest(version)
            parent = manifest.chain.parent.manifest if manifest.chain is not None else None
            own = manifest.experiment == record.get("experiment") and parent == _parent(record)
            if own and manifest.created.timestamp() > saved:
                return True
    return False


def _parent(record: Mapping[str, Any]) -> str | None:
    return (record.get("parent") or {}).get("manifest")


def _differences(record: Mapping[str, Any], experiment: Experiment, log: Log, parent: str | None) -> str:
    saved = record.get("experiment")
    before = dict(_flat(saved)) if isinstance(saved, dict) else {}
    now = dict(_flat(orjson.loads(orjson.dumps(experiment.model_dump(mode="json", by_alias=True)))))
    keys = [key for key in dict.fromkeys([*before, *now]) if before.get(key) != now.get(key)]
    differences = [f"{key} (was {_shown(before.get(key))}, now {_shown(now.get(key))})" for key in keys[:SHOWN]]
    if len(keys) > SHOWN:
        differences.append(f"{len(keys) - SHOWN} more keys")
    if _parent(record) != parent:
        differences.append("the artifact that it carries on (--from)")
    if not differences or sorted(record.get("data") or []) != sorted(log.paths()):
        differences.append("the data files")
    return ", ".join(differences)


def _flat(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _shown(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 40 else f"{text[:37]}..."
