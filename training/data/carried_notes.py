"""Checks of an artifact that a fit carries on, and notes about what moved since."""

from collections.abc import Iterator

from ranker.encoding import EncoderFitter
from ranker.log_files.log_reader import DataError
from training.config.experiment import Experiment
from training.data.days import Days
from training.data.earlier import Earlier


def check_carrying(experiment: Experiment) -> None:
    """Raise ``DataError`` for a config with an ensemble, trees or embeddings redrawn in each epoch."""
    if experiment.ensemble is not None:
        raise DataError(
            "ensemble: cannot carry an artifact on, since its members would all start from the same weights; leave out "
            "ensemble, or train from scratch, without --from"
        )
    if experiment.tree_options is not None:
        raise DataError(_of_trees("the config has"))
    if experiment.embedding.reinitialise_each_epoch and experiment.carrying_on().training.epochs > 1:
        raise DataError(
            "embedding.reinitialise_each_epoch: would draw the embeddings anew that --from carries on; set it to "
            "false, or training.epochs to 1"
        )


def check_carriable(experiment: Experiment, earlier: Earlier) -> None:
    """Raise ``DataError`` as :func:`check_carrying`, and for an artifact with trees or embeddings of another width."""
    check_carrying(experiment)
    if earlier.artifact.encoder.trees is not None:
        raise DataError(_of_trees(f"{earlier.artifact.folder} has"))
    before, now = earlier.artifact.schema.features, experiment.log_schema.features
    for name in before.keys() & now.keys():
        old, new = before[name].embedding_width, now[name].embedding_width
        if old is not None and new is not None and old != new:
            side = experiment.log_schema.side(name)
            raise DataError(
                f"schema.{side}.{name}.dimension: is {new}, but {old} in {earlier.artifact.folder}, and embeddings of "
                f"another width cannot be carried on. Keep dimension: {old}, or train from scratch, without --from"
            )


def carried_notes(earlier: Earlier, fitter: EncoderFitter, days: Days, refit_scales: bool) -> Iterator[str]:
    """Lines about features that start afresh or have moved. Raises ``DataError`` if days are not comparable."""
    facts = earlier.facts
    if (facts.day_column, facts.day_unit) != (days.column, days.unit):
        before, now = _counted(facts.day_column, facts.day_unit), _counted(days.column, days.unit)
        raise DataError(
            f"{earlier.artifact.folder} counted days by {before}, and this fit by {now}, so that days cannot be "
            "compared. Set daily.day to the same column as before, or train from scratch, without --from"
        )
    if days.unit != "fits" and days.first <= facts.day:
        yield (
            f"caution: rows of {days.column} begin on day {days.first}, and {earlier.artifact.folder} was trained on "
            f"rows up to day {facts.day}: rows that it has seen count twice"
        )
    yield from fitter.notes
    for name, moved in fitter.moved().items():
        what = "fitted again" if refit_scales else "kept; daily.refit_scales: true fits it again"
        yield f"caution: schema feature {name!r} has moved far: {moved}. Its scale is {what}"


def _of_trees(where: str) -> str:
    return (
        f"trees: {where} trees, which --from cannot carry on: those fitted before do not know the rows of new ids, "
        "and those fitted on the new rows alone would forget the past. Train from scratch on all days, without "
        "--from, or leave out trees"
    )


def _counted(column: str | None, unit: str) -> str:
    return "fits" if column is None else f"column {column!r} ({unit})"
