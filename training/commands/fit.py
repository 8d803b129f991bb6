"""Trains an experiment and exports its best epoch."""

from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import Console

from ranker.artifact import Artifact
from ranker.inference.agreement import MIN_NDCG
from ranker.log_files.log_reader import Source
from training.commands.export import exports, finish, show_metrics
from training.commands.inputs import (
    Config,
    Data,
    Progress,
    carrying_on,
    console_of,
    in_memory,
    source_of,
)
from training.config.data import SplitByFiles
from training.config.experiment import Experiment
from training.data.carried_notes import check_carriable
from training.data.earlier import manifest_digest, opened
from training.data.experiment_log import open_log, required_columns
from training.data.stored_table import prune
from training.display import Display
from training.export.tables import Placement, TableOptions, table_options
from training.trainer.run_folder import check_replaceable, exported, found, key_of, mark_exported, parent_of
from training.trainer.train import RUN, Run, reopen, train


class TrainingRun:
    """A finished training run in a folder.

    Attributes
    ----------
    folder
        The run's ``output``: ``run/`` with checkpoints and records, and artifacts as ``1/``, ``2/``, ...
    experiment
        The config.
    artifact
        The exported artifact; ``None`` before :meth:`export`.
    """

    def __init__(
        self, folder: Path, experiment: Experiment, console: Console, trained: Run | None, artifact: Artifact | None
    ) -> None:
        self.folder, self.experiment, self.artifact = folder, experiment, artifact
        self._console, self._trained = console, trained

    @property
    def exports(self) -> bool:
        """Whether this process exports the model: of several that trained it together, worker 0 does."""
        return self._trained is None or self._trained.chief

    @cached_property
    def trained(self) -> Run:
        """The Keras model with the best epoch's weights, or its refit; predictions on validation rows, history."""
        return self._trained or reopen(self.folder)

    @property
    def metrics(self) -> dict[str, Any]:
        """Validation metrics of the best epoch: ``mean_auc``, and by task under ``tasks``."""
        return dict(self.artifact.manifest.metrics) if self.artifact is not None else self.trained.metrics

    @property
    def history(self) -> list[dict[str, Any]]:
        """One record per epoch: number, mean training losses, validation metrics, whether it was the best so far."""
        return self.trained.history

    def export(
        self,
        output: str | Path | None = None,
        *,
        tables: Placement = "auto",
        table_precision: str = "float32",
        min_ndcg: float = MIN_NDCG,
    ) -> Artifact:
        """Export the best epoch as the next version in ``output``, by default the run's own folder.

        ``tables`` keeps embedding tables ``beside`` the graph, in files that serving processes share, or ``inside`` it;
        ``auto`` keeps large ones beside it. ``table_precision`` stores rows beside the graph in ``float32``,
        ``float16`` or ``int8``; rounded rows are refused with ``ExportError`` if the NDCG@10 of rankings of validation
        rows, with the exact fused score as the gain, is below ``min_ndcg``.

        A run that has already been exported there is not exported again, unless these options are given. Pass the
        artifact's ``folder`` to :func:`ranker.load` or ``ranker-serve``. Raises ``ExportError`` if the exported graph's
        scores differ from the model's, and ``RuntimeError`` in a process that trained it with others and is not
        worker 0.
        """
        if not self.exports:
            raise RuntimeError("worker 0 exports the model that this process trained with it")
        target = Path(output) if output is not None else self.folder
        options = table_options(tables, table_precision, min_ndcg)
        exported_there = self.artifact is not None and self.artifact.folder.parent.resolve() == target.resolve()
        if self.artifact is not None and exported_there and options == TableOptions():
            return self.artifact
        artifact = finish(self.trained, target, self._console, options)
        if target.resolve() == self.folder.resolve():
            mark_exported(self.folder / RUN, artifact)
        self.artifact = artifact
        return artifact

    def __repr__(self) -> str:
        state = f"exported as version {self.artifact.manifest.version}" if self.artifact is not None else "not exported"
        return f"<TrainingRun in {str(self.folder)!r}, {state}>"


def fit(
    config: Config,
    data: Data = None,
    *,
    output: str | Path,
    from_artifact: str | Path | Artifact | None = None,
    restart: bool = False,
    progress: Progress = True,
) -> TrainingRun:
    """Train an experiment, and keep the weights of its best epoch; with ``training.refit``, train again on all rows.

    Called again with the same config and data, it resumes an interrupted run and does not retrain a finished one.
    With ``from_artifact`` it carries that artifact on: the model starts from its weights and moments, and the encoder
    from its vocabularies, label statistics, scales and buckets.

    Parameters
    ----------
    config
        The path of a YAML file, its content as a dict, or an ``Experiment``.
    data
        A DataFrame, an Arrow table, or files, folders and globs of Parquet and CSV; by default the config's
        ``data.paths``. Tables are stored in ``output/tables``, so that the run can be resumed and exported later.
    output
        Folder of the run and its artifacts.
    from_artifact
        The artifact to carry on: its folder, or a folder of versions, whose highest is taken unless it is what this
        very call made before.
    restart
        Discard an unfinished run in ``output`` instead of resuming it.
    progress
        Whether to show progress, or the Rich console to show it on.

    Returns
    -------
    The run, with ``metrics`` of the best epoch and ``export()``.

    Raises
    ------
    ConfigError
        If the config is invalid; each mistake is named by its path.
    ArtifactError
        If ``from_artifact`` cannot be read, has no state, or its state is damaged.
    DataError
        If the log cannot be used, ``output`` holds an unfinished run of another config or data, or a feature's
        embeddings have another width than in ``from_artifact``.
    DivergedError
        If losses or scores become non-finite.
    """
    experiment, carried = carrying_on(config, from_artifact)
    console, output = console_of(progress), Path(output)
    source = source_of(experiment, data, output, console)
    log, folder = open_log(experiment, source), output / RUN
    own = parent_of(folder, experiment, log, carried) if carried is not None else None
    before = own.manifest if own is not None else manifest_digest(carried) if carried is not None else None
    made, line = (None, None) if restart else exported(folder, key_of(experiment, log, before))
    if not restart:
        line = line or check_replaceable(folder, experiment, log, before)
    if line is not None:
        console.print(line, markup=False)
    if made is not None:
        return TrainingRun(output, experiment, console, None, made)
    result = carried if own is not None and not restart else None  # the highest version is what this call made before
    if own is not None and carried is not None:
        carried = found(own, carried)
    earlier = opened(carried) if carried is not None else None
    if earlier is not None:
        check_carriable(experiment, earlier)
    _check_columns(experiment, source)
    with Display(console) as display:
        display.expect(len(log))
        trained = train(experiment, source, output, display.listener(), earlier=earlier, restart=restart)
    if not trained.chief:
        console.print("done: this process trained with the others, and worker 0 exports the model", markup=False)
        return TrainingRun(output, experiment, console, trained, None)
    if in_memory(data):
        prune(Path(source[0]))
    show_metrics(trained, console)
    if result is not None and exports(trained, result):  # killed after the export, before its record
        mark_exported(folder, result)
        console.print(f"this run was already exported: {result.folder}", markup=False)
        return TrainingRun(output, experiment, console, trained, result)
    return TrainingRun(output, experiment, console, trained, None)


def _check_columns(experiment: Experiment, source: Source) -> None:
    """Raise ``DataError`` before training if the log lacks a column that a fusion is fitted on."""
    names, rule = required_columns(experiment), experiment.data.split
    if names:
        paths = rule.paths if isinstance(rule, SplitByFiles) else source
        next(open_log(experiment, paths).chunks(names), None)
