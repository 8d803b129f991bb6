"""The config's fusions, fitted to validation rows."""

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
    """Every fusion of the config, by name, with what it is fitted to of the validation rows.

    ``log`` has the columns of ``required_columns`` in those rows. A named fusion that cannot be fitted to them is left
    out, with a note: a model that took hours to train is not lost for it. Raises ``FusionError`` for the default one.
    """
    schema, columns = experiment.log_schema, log or {}
    found = {}
    for name, options in experiment.named_fusions.items():
        plan = plan_for(schema, StoredFusion(options=options))
        formula = plan.fusion.formula
        features = {feature: columns[schema.column(feature)] for feature in formula.features if formula.fitted}
        try:
            found[name] = plan.fit(predictions.scores, predictions.labels, predictions.known, features, columns)
        except FusionError as error:
            if name == DEFAULT:
                raise FusionError(f"fusion.{error}") from None
            note(f"fusions.{name}: left out of the artifact: {error}")
    return found


def learnt(plans: Mapping[str, Plan]) -> Iterator[str]:
    """How well each learned fusion orders rows that it was not fitted to."""
    for name, plan in plans.items():
        told = (plan.fusion.state or {}).get("held_out")
        if told is not None:
            yield (
                f"fusion {name}: {told['measure']} {told['value']:.4f} of {plan.options.options['label']} on "
                f"{told['rows']:,} validation rows, each by what was fitted without its request; the best objective "
                f"alone, {told['best_objective']}, {told['best_objective_value']:.4f}"
            )


def notes(plans: Mapping[str, Plan]) -> Iterator[str]:
    """What of the plans could not be fitted, and why."""
    for name, plan in plans.items():
        for objective, fitted in (plan.calibration or {}).items():
            if fitted.note is not None:
                yield f"fusion {name}, {objective}: {fitted.note}"
