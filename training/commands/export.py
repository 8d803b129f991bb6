"""Exports the best epoch of a run: fits the fusions, writes the pages, checks the artifact."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from numpy.typing import NDArray
from rich.console import Console

from ranker.artifact import Artifact, Chain, Parent
from ranker.fusion import DEFAULT as FUSION
from ranker.fusion.artifact_fusions import single_valued
from ranker.inference.agreement import MIN_NDCG, Agreement, agreement
from training.data.earlier import write_state
from training.data.encode import columns_at, rows_of
from training.data.experiment_log import required_columns
from training.data.split.held_out import split
from training.data.trained_on import trained_on
from training.display import Display, groups_table, metrics_table, status
from training.evaluation import by_feature
from training.evaluation.evaluate import Scorer, predict
from training.export.export import examples_of, export
from training.export.fit_fusions import cross_validation_lines, fitted_fusions, notes
from training.export.report_data import ROWS, collect
from training.export.rounded_products import rounded_agreement
from training.export.row_sample import Indices, sampled
from training.export.tables import DEFAULT, TableOptions
from training.reports.calibration import calibration_page
from training.reports.run import run_page
from training.sweeps import TrialResult
from training.trainer.callbacks import STEPS
from training.trainer.carry_on import state_of
from training.trainer.curves import trace
from training.trainer.epoch import scorer
from training.trainer.refit import refitted
from training.trainer.run_folder import RECORD, exported, mark_exported, read
from training.trainer.train import RUN, Run, reopen

PAGE = "report.html"
CALIBRATION = "calibration.html"


def export_run(folder: Path, output: Path, console: Console, tables: TableOptions = DEFAULT) -> Artifact:
    """Export the best epoch so far of the run in ``folder``, or its refit if that has finished."""
    trained = reopen(folder)
    show_metrics(trained, console)
    if trained.experiment.training.refit and trained.refit is None:
        unfinished = (
            "the refit on all rows (training.refit) has not finished: exporting the model of the first training"
        )
        console.print(f"caution: {unfinished}", style="yellow", markup=False)
    return finish(trained, output, console, tables)


def export_trial(folder: Path, output: Path, console: Console) -> Artifact:
    """Export the model of a trial, first trained again on all rows if its config asks for that."""
    with Display(console) as display:
        trained = refitted(reopen(folder), display.listener())
    show_metrics(trained, console)
    return finish(trained, output, console)


def show_metrics(trained: Run, console: Console) -> None:
    """Print the best epoch's metrics on the validation rows."""
    console.print(metrics_table(trained.metrics, f"validation, epoch {trained.best_epoch} of {len(trained.history)}"))
    if by_feature.KEY in trained.metrics:
        found = trained.metrics[by_feature.KEY]
        console.print(groups_table(*by_feature.table(found), title=f"by {found['feature']}"))
    if trained.refit is not None:
        console.print(str(trained.refit), markup=False)


def finish(trained: Run, output: Path, console: Console, tables: TableOptions = DEFAULT) -> Artifact:
    """Fit the fusions, write the pages and export the best epoch, or its refit, as the next version."""
    experiment = trained.experiment
    divided = split(trained.log, experiment.data.split, experiment.training.seed)
    rows = rows_of(experiment.log_schema, divided)
    examples = examples_of(rows, experiment)
    gates, curves = trained.gates.to_dict(), trace(trained.folder / STEPS)
    page = trained.folder / PAGE
    position = trained.metrics.get("position")
    text = run_page(curves, trained.history, gates, trained.best_epoch, trained.refit, position)
    page.write_text(text, encoding="utf-8")
    console.print(f"losses, weights and gradients over time: [bold]{page}[/bold]")

    def caution(text: str) -> None:
        console.print(text, style="yellow", markup=False)

    needed = required_columns(experiment)
    with status(console, "fitting fusions"):
        raw = columns_at(experiment.log_schema, rows, needed) if needed else {}
        fusions = fitted_fusions(experiment, trained.predictions, raw, caution)
    for text in notes(fusions):
        caution(text)
    for text in cross_validation_lines(fusions):
        console.print(text, markup=False)
    reliability = calibration_page(experiment, fusions, trained.predictions)
    if reliability is not None:
        (output / CALIBRATION).write_text(reliability.html(), encoding="utf-8")
        console.print(f"calibration: {output / CALIBRATION}", markup=False)
    schema = experiment.log_schema
    wanted = [*single_valued(schema), *(name for plan in fusions.values() for name in plan.features)]
    columns = {name: schema.column(name) for name in dict.fromkeys(wanted)}

    def read(chosen: Indices) -> dict[str, NDArray[Any]]:
        values = columns_at(schema, rows, list(columns.values()), chosen)
        listed = {name: schema.features[name].listed(values[column], column) for name, column in columns.items()}
        return {name: values[columns[name]] if lists is None else lists for name, lists in listed.items()}

    grouped_by = experiment.evaluation.group_by
    data = collect(trained.predictions, read, fusions, grouped_by, trained.history, trained.best_epoch, curves)
    encoder, metrics = trained.prepared.encoder, trained.metrics
    scores = trained.predictions.scores
    earlier = trained.parent.files if trained.parent is not None else ()
    seen = trained_on(divided, earlier, refit=trained.refit is not None)

    def compare(score: Scorer) -> Agreement:
        """Compare scores of the sampled validation rows with those of the exported model."""
        rounded = predict(score, trained.prepared.validation.chunks(), trained.model.schema)
        chosen, _ = sampled(rounded.groups, len(rounded.scores), ROWS)
        exact = data.candidates(fusions[FUSION])
        if trained.refit is not None:  # the sample has scores of the first training
            held_out = trained.prepared.validation.chunks()
            own = predict(scorer(trained.model), held_out, trained.model.schema).scores[chosen]
            exact = replace(data, rows=replace(data.rows, scores=own)).candidates(fusions[FUSION])
        found = agreement(fusions[FUSION], exact, rounded.scores[chosen])
        console.print(f"rows of tables in {tables.precision}: {found}", markup=False)
        return found

    def keep(folder: Path) -> Chain | None:
        """Write the state into the artifact's folder, unless it is left out; the chain of fits up to it."""
        facts, variables = state_of(trained.model, trained.prepared, experiment, trained.parent)
        if experiment.keeps_state:
            write_state(folder, facts, trained.prepared.ids, variables)
        if trained.parent is None:
            return None
        parent = Parent(**trained.parent.model_dump(include=set(Parent.model_fields)))
        return Chain(parent=parent, fits=facts.fits, days=facts.day - facts.first_day + 1)

    artifact = export(
        output,
        experiment,
        encoder,
        trained.model,
        fusions,
        metrics,
        examples,
        scores,
        gates,
        data,
        seen,
        tables=tables,
        compare=compare,
        keep=keep,
        refit=trained.refit,
    )
    show_rounded(rounded_agreement(artifact, trained.model, tables), console)
    return artifact


def exports(trained: Run, artifact: Artifact) -> bool:
    """Whether an artifact of this run is of its best epoch and refit, by the metrics with their intervals."""
    metrics = orjson.loads(orjson.dumps(trained.metrics, option=orjson.OPT_SERIALIZE_NUMPY))
    return bool(metrics == artifact.manifest.metrics) and trained.refit == artifact.manifest.refit


def show_rounded(agreement: Agreement, console: Console) -> None:
    """Print how far rankings agree with those of float32 if products are rounded to bfloat16."""
    text = f"in bfloat16: {agreement}"
    if agreement.ndcg < MIN_NDCG:
        text += f"; a service with --precision bfloat16 asks for {MIN_NDCG:g}"
    console.print(text, style=None if agreement.ndcg >= MIN_NDCG else "yellow", markup=False)


def export_once(trained: TrialResult, output: Path, console: Console) -> Artifact:
    """Export a trial as the next version in ``output``, unless it has already been exported there."""
    folder = trained.folder / RUN
    earlier, _ = exported(folder, str(read(folder / RECORD).get("key")))
    if earlier is not None and earlier.folder.parent.resolve() == output.resolve():
        artifact, how = earlier, "was already exported"
    else:
        artifact, how = export_trial(trained.folder, output, console), "exported"
        mark_exported(folder, artifact)
    trial = trained.trial
    console.print(f"best trial {how}: {trial.name}, seed {trial.seed}: {artifact.folder}", markup=False)
    return artifact
