"""Fits the config's fusions on validation rows."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

from ranker.fusion import DEFAULT, FusionError, Plan, StoredFusion, plan_for
from training.config.experiment import Experiment
from training.evaluation.evaluate import Predictions


def fitted_fusions(
    experiment: Experiment,
    predictions: Predictions,
    log: Mapping[str, NDArray[Any]] | None = None,
    note: Callable[[str], None] = print,
) -> dict[str, Plan]:
    """The config's fusions by name, fitted on the validation rows.

    ``log`` has the columns of ``required_columns`` for those rows. A named fusion that cannot be fitted is left out
    with a note, so that hours of training are not lost. Raises ``FusionError`` for the default fusion.
    """
    schema, columns = experiment.log_schema, log or {}
    fitted = {}
    for name, options in experiment.named_fusions.items():
        plan = plan_for(schema, StoredFusion(options=options))
        formula = plan.fusion.formula
        features = {feature: columns[schema.column(feature)] for feature in formula.features if formula.fitted}
        try:
            fitted[name] = plan.fit(predictions.scores, predictions.labels, predictions.known, features, columns)
        except FusionError as error:
            if name == DEFAULT:
                raise FusionError(f"fusion.{error}") from None
            note(f"fusions.{name}: left out of the artifact: {error}")
    return fitted


def cross_validation_lines(plans: Mapping[str, Plan]) -> Iterator[str]:
    """One line per learned fusion: its ranking quality in cross-validation."""
    for name, plan in plans.items():
        held_out = (plan.fusion.state or {}).get("held_out")
        if held_out is not None:
            yield (
                f"fusion {name}: cross-validated {held_out['measure']} {held_out['value']:.4f} of "
                f"{plan.options.options['label']} on {held_out['rows']:,} validation rows; the best single objective, "
                f"{held_out['best_objective']}, has {held_out['best_objective_value']:.4f}"
            )


def notes(plans: Mapping[str, Plan]) -> Iterator[str]:
    """One line per calibration that could not be fitted, with the reason."""
    for name, plan in plans.items():
        for objective, fitted in (plan.calibration or {}).items():
            if fitted.note is not None:
                yield f"fusion {name}, {objective}: {fitted.note}"
