"""Encodes the rows of an experiment's log for a later ``fit``, by several processes or a cluster."""

from dataclasses import dataclass
from pathlib import Path

from ranker.artifact import Artifact
from training.commands.inputs import Config, Data, Progress, carrying_on, console_of, source_of
from training.data.cache import ROWS, RUN, prepared_rows, refit_rows
from training.data.carried_notes import check_carriable
from training.data.earlier import manifest_digest, opened
from training.data.experiment_log import open_log
from training.data.workers import HERE, OnRay, Processes, Workers
from training.display import Display
from training.trainer.run_folder import REFIT, check_replaceable


@dataclass(frozen=True)
class EncodedLog:
    """Encoded rows in a folder, and how many there are for training and validation."""

    folder: Path
    training: int
    validation: int


def encode(
    config: Config,
    data: Data = None,
    *,
    output: str | Path,
    from_artifact: str | Path | Artifact | None = None,
    processes: int = 1,
    ray: str | None = None,
    progress: Progress = True,
) -> EncodedLog:
    """Fit the encoder and encode all rows into ``output/run/rows``, where ``fit`` on the same inputs finds them.

    With ``training.refit``, the rows of the second training are encoded, too, into ``output/run/refit/rows``. The rows
    are those that ``fit`` would encode, byte for byte. Rows that are there already stay; a call that was interrupted
    starts again.

    Parameters
    ----------
    config, data, output, from_artifact, progress
        As those of :func:`training.commands.fit.fit`.
    processes
        Processes of this machine that encode, after one pass of one process that fits the encoder.
    ray
        Address of a Ray cluster that encodes instead, or ``local`` to start Ray on this machine. Its machines must
        share the storage of the data and of ``output``.

    Raises
    ------
    ConfigError, ArtifactError, DataError
        As ``fit``.
    ClusterError
        If the cluster cannot be used, or fails.
    """
    workers = _workers(processes, ray)
    experiment, carried = carrying_on(config, from_artifact)
    console, output = console_of(progress), Path(output)
    source = source_of(experiment, data, output, console)
    log, folder = open_log(experiment, source), output / RUN
    check_replaceable(folder, experiment, log, manifest_digest(carried) if carried is not None else None)
    earlier = opened(carried) if carried is not None else None
    if earlier is not None:
        check_carriable(experiment, earlier)
    folder.mkdir(parents=True, exist_ok=True)
    with Display(console) as display:
        display.expect(len(log))
        listener = display.listener()
        for text in log.notes:
            listener.note(text)
        prepared = prepared_rows(experiment, log, folder / ROWS, listener, earlier, workers=workers)
        if experiment.training.refit:
            refit_rows(experiment, log, folder / REFIT, listener, earlier, workers)
    return EncodedLog(folder / ROWS, len(prepared.training), len(prepared.validation))


def _workers(processes: int, ray: str | None) -> Workers:
    if processes < 1:
        raise ValueError(f"processes: must be at least 1, got {processes}")
    if ray is not None:
        if processes != 1:
            raise ValueError(f"processes: a cluster has its own; give either {processes} processes or Ray, not both")
        return OnRay(ray)
    return Processes(processes) if processes > 1 else HERE
