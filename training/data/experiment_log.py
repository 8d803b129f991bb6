"""Opens an experiment's log with the column types that its config implies."""

from ranker.encoding import Encoder
from ranker.encoding.within_list import ListInputs
from ranker.fusion import Formula, StoredFusion, plan_for
from ranker.log_files.csv_types import Kind, merged, of_kind, schema_kinds
from ranker.log_files.log_reader import Log, Source
from training.config.data import SplitByTime
from training.config.experiment import Experiment


def open_log(experiment: Experiment, source: Source, encoder: Encoder | None = None) -> Log:
    """Open a log with the config's CSV column types and lists, and with ids typed as in ``encoder`` if given."""
    log = Log(source, kinds_of(experiment, encoder), experiment.data.csv)
    return log.with_lists(ListInputs.of_schema(experiment.log_schema))


def kinds_of(experiment: Experiment, encoder: Encoder | None = None) -> dict[str, Kind]:
    """Kinds of all columns that an experiment reads, by column."""
    rule = experiment.data.split
    return merged(
        schema_kinds(experiment.log_schema, encoder),
        *(of_kind("number", formula.columns) for formula in _fitted(experiment)),
        *(of_kind("id", formula.keys) for formula in _fitted(experiment)),
        of_kind("time" if isinstance(rule, SplitByTime) else "id", [getattr(rule, "column", None)]),
        of_kind("id", [experiment.evaluation.group_by, experiment.list_column]),
        of_kind("time", [experiment.daily.day]),
        of_kind("number", [] if experiment.position is None else [experiment.position.column]),
    )


def required_columns(experiment: Experiment) -> list[str]:
    """Log columns that the config's fusions are fitted on, besides scores and labels."""
    schema, columns = experiment.log_schema, []
    for formula in _fitted(experiment):
        columns += [*formula.columns, *formula.keys, *(schema.column(name) for name in formula.features)]
    return list(dict.fromkeys(columns))


def _fitted(experiment: Experiment) -> list[Formula]:
    """Formulas of the config's fusions that are fitted on the log."""
    plans = (plan_for(experiment.log_schema, StoredFusion(options=o)) for o in experiment.named_fusions.values())
    return [plan.fusion.formula for plan in plans if plan.fusion.formula.fitted]
