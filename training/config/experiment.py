"""The experiment: a closed, frozen config read from YAML. Errors give path, line and the nearest valid key."""

import operator
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeAlias

import numpy as np
from pydantic import Field, model_validator

from ranker.architectures import ARCHITECTURES, ArchitectureOptions
from ranker.config.closed import Closed, Name
from ranker.config.file import ConfigError as ConfigError
from ranker.config.file import check_data, keys, read
from ranker.funnels import FUNNELS, FunnelOptions
from ranker.fusion import DEFAULT, FUSIONS, FusionError, FusionOptions, Plan, StoredFusion, plan_for
from ranker.layers.interaction import INTERACTIONS, InteractionOptions
from ranker.position import POSITION_METHODS, PositionOptions
from ranker.registry import Registry, alternatives
from ranker.schema import Schema
from ranker.step_plan import EMBEDDINGS
from ranker.weighting import WEIGHTINGS, GradientBalancer, WeightingOptions
from training.config.daily import Daily, ExportOptions
from training.config.data import Data, SplitByTime
from training.config.ensemble import Ensemble
from training.config.lists import check_lists, list_column, with_group_by
from training.config.metric_names import Metric
from training.config.optimizer import Optimizer
from training.config.parameter_server import check_parameter_server
from training.config.promotion import BoundsByName, check_bounds
from training.config.task_metrics import check_metric, has_auc, list_metric, list_metrics
from training.config.task_schedule import Schedule
from training.config.training import EarlyStopping, EmbeddingOptions, Evaluation, Training
from training.config.trees import TreeOptions


def _choice(registry: Registry[Any], key: str = "name") -> Any:
    options = [registry[name].Options for name in sorted(registry)]
    union = reduce(operator.or_, options)
    return Annotated[union, Field(discriminator=key)] if len(options) > 1 else union


if TYPE_CHECKING:
    ArchitectureChoice: TypeAlias = ArchitectureOptions
    FunnelChoice: TypeAlias = FunnelOptions
    InteractionChoice: TypeAlias = InteractionOptions
    PositionChoice: TypeAlias = PositionOptions
    WeightingChoice: TypeAlias = WeightingOptions
else:  # a union over the registries, so that a new entry needs no line here
    ArchitectureChoice = _choice(ARCHITECTURES)
    FunnelChoice = _choice(FUNNELS)
    InteractionChoice = _choice(INTERACTIONS)
    PositionChoice = _choice(POSITION_METHODS, "method")
    WeightingChoice = _choice(WEIGHTINGS)


CHOICES: dict[str, Registry[Any]] = {
    "architecture": ARCHITECTURES,
    "interaction": INTERACTIONS,
    "funnel": FUNNELS,
    "weighting": WEIGHTINGS,
}
"""Sections that select a class by name, and the registry of each."""


class NamedChoices(Closed):
    """A config whose choices may be bare names, where they need no options."""

    @model_validator(mode="before")
    @classmethod
    def _words(cls, data: Any) -> Any:
        """Accept a bare name for a choice without options: ``architecture: mmoe``."""
        if not isinstance(data, Mapping):
            return data
        return {k: {"name": v} if k in CHOICES and isinstance(v, str) else v for k, v in data.items()}


class Experiment(NamedChoices):
    """Everything a training run depends on except the log."""

    @model_validator(mode="before")
    @classmethod
    def _lists_to_measure(cls, data: Any) -> Any:
        """Measure rankings within the lists that list losses learn from, unless ``evaluation.group_by`` says others."""
        return with_group_by(data)

    data: Data
    log_schema: Schema = Field(alias="schema", description="Features by side, tasks, label statistics.")
    architecture: ArchitectureChoice = Field(description="How tasks share parameters.")
    interaction: InteractionChoice = Field(
        default_factory=INTERACTIONS["none"].Options, description="Feature interaction before the shared layers."
    )
    funnel: FunnelChoice = Field(
        default_factory=FUNNELS["esmm"].Options, description="How tasks with `given` are trained."
    )
    weighting: WeightingChoice = Field(
        default_factory=WEIGHTINGS["static"].Options, description="How task losses or gradients are weighted."
    )
    trees: TreeOptions | None = Field(None, description="Boosted trees whose scores are inputs; none by default.")
    position: PositionChoice | None = Field(
        None, description="How labels are corrected for the place where an item was shown; not at all by default."
    )
    embedding: EmbeddingOptions = EmbeddingOptions()
    optimizer: Optimizer = Optimizer()
    training: Training = Training()
    schedule: Schedule = Field(Schedule(), description="Which tasks are trained when; all at once by default.")
    early_stopping: EarlyStopping | None = Field(
        default_factory=EarlyStopping, description="null: train all epochs and keep the last epoch's weights."
    )
    evaluation: Evaluation = Evaluation()
    ensemble: Ensemble | None = Field(None, description="Members served as one model; by default a single model.")
    daily: Daily = Field(Daily(), description="How `fit --from` carries an artifact on.")
    export: ExportOptions = Field(ExportOptions(), description="What the artifact holds besides the model.")
    fusion: FusionOptions = Field(FusionOptions(), description="The default fusion of scores into a ranking.")
    fusions: dict[Name, FusionOptions] = Field(default_factory=dict, description="Other fusions, by name.")
    promotion: BoundsByName = Field(
        default_factory=dict, description="Bounds of `promote` by measure; read by nothing else."
    )

    def _check_vectors(self) -> None:
        """Raise ``ValueError`` for vectors of features without a vocabulary of their own."""
        features = self.log_schema.features
        able = [name for name, feature in features.items() if getattr(feature, "hash_buckets", 0) is None]
        for name in self.embedding.vectors:
            if name not in able:
                raise ValueError(
                    f"embedding.from.{name}: is not a feature with a vocabulary of its own{alternatives(name, able)}"
                )
        if self.embedding.vectors and self.embedding.reinitialise_each_epoch:
            raise ValueError("embedding.from: reinitialise_each_epoch would replace the vectors; use one of the two")

    @property
    def day_column(self) -> str | None:
        """Column of times that days are counted by: ``daily.day``, or that of a split by time."""
        rule = self.data.split
        return self.daily.day or (rule.column if isinstance(rule, SplitByTime) else None)

    def _check_days(self) -> None:
        """Raise ``ValueError`` for label statistics of past days if rows have no day."""
        statistics = self.log_schema.label_statistics
        for name in ("windows", "half_lives", "past_only") if self.day_column is None else ():
            if getattr(statistics, name, None):
                raise ValueError(
                    f"schema.label_statistics.{name}: needs the day of each row; set daily.day to a column of times"
                )

    def _check_trees(self, heads: Sequence[str]) -> None:
        """Raise ``ValueError`` for unknown tasks, and for a head without the trees that the architecture reads."""
        options, tasks = self.tree_options, list(self.log_schema.tasks)
        if options is None:
            return
        options.check(tasks)
        reads_trees = ARCHITECTURES[self.architecture.name].reads_trees
        for name in tasks if reads_trees else options.tasks(tasks):
            task = self.log_schema.tasks[name]
            if task.tree_target(np.zeros(0)) is not None:
                continue
            about = f"no trees can be fitted to {name!r}, of kind {task.kind}"
            if reads_trees:
                raise ValueError(f"architecture.name: {about}, and {self.architecture.name} needs them; use another")
            raise ValueError(f"trees.of: {about}; name other tasks")
        if not reads_trees:
            return
        if options.blend is not None:
            raise ValueError(f"trees.blend: {self.architecture.name} has no network to blend trees with; leave it out")
        for head in heads:
            if head not in tasks:
                raise ValueError(
                    f"funnel.name: {self.funnel.name} trains the further head {head!r}, which {self.architecture.name} "
                    "has no trees for; use funnel: esmm"
                )
            if head not in options.tasks(tasks):
                raise ValueError(
                    f"trees.of: {self.architecture.name} needs trees of all tasks, and {head!r} is not listed; use all"
                )

    def _check_position(self) -> None:
        """Raise ``ValueError`` for a correction that does not fit the schema, or models that know no position."""
        if self.position is None:
            return
        try:
            self.position.check(self.log_schema)
        except ValueError as error:
            raise ValueError(f"position.{error}") from None
        if not ARCHITECTURES[self.architecture.name].trainable:
            raise ValueError(
                f"position: {self.architecture.name} trains no network beside which a position could be learnt, and "
                "its trees know none; use another architecture, or leave it out"
            )
        if self.trees is not None and self.trees.blend is not None:
            tasks = self.log_schema.tasks
            blended = set(self.trees.tasks(list(tasks))) & set(self.position.affected(tasks))
            if blended:
                raise ValueError(
                    f"trees.blend: served scores of {', '.join(sorted(blended))} would be a part of trees, which "
                    "`position` does not correct; leave blend out, so that their scores are inputs, or set trees.of"
                )

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        tasks = self.log_schema.tasks
        sections: dict[str, Any] = {
            "architecture": self.architecture,
            "funnel": self.funnel,
            "interaction": self.interaction,
        }
        for name, section in sections.items():
            try:
                section.check(self.log_schema)
            except ValueError as error:
                raise ValueError(f"{name}.{error}") from None
        funnel = FUNNELS[self.funnel.name](self.log_schema, self.funnel)
        try:
            self.optimizer.check(funnel.heads)
        except ValueError as error:
            raise ValueError(f"optimizer.{error}") from None
        if self.optimizer.average is not None and self.embedding.reinitialise_each_epoch:
            raise ValueError(
                "optimizer.average: would average tables across epochs, but embedding.reinitialise_each_epoch "
                "reinitialises them; use one of the two"
            )
        if self.embedding.reinitialise_each_epoch and any(EMBEDDINGS in p.freeze for p in self.schedule.phases):
            raise ValueError(
                "schedule.phases: embedding.reinitialise_each_epoch would leave frozen embeddings untrained; "
                "use one of the two"
            )
        self._check_vectors()
        self._check_days()
        if self.evaluation.by is not None:
            self.log_schema.require_number("evaluation.by", self.evaluation.by)
        self._check_trees(funnel.heads)
        check_lists(self.log_schema, self.evaluation.group_by, ARCHITECTURES[self.architecture.name].trainable)
        self._check_position()
        if self.ensemble is not None and not ARCHITECTURES[self.architecture.name].trainable:
            raise ValueError(
                f"ensemble: members of {self.architecture.name} would be equal, since it has no weights; leave it out"
            )
        self._check_fusions()
        check_bounds(self.promotion, tasks)
        self.weighting.check(tasks)
        method = WEIGHTINGS[self.weighting.name]
        self.schedule.check(
            list(tasks), self.training.epochs, compares=issubclass(method, GradientBalancer) or method.looks_back
        )
        check_parameter_server(self)
        list_metrics("evaluation.metrics", self.evaluation.metrics, tasks, **self._measured)
        if self.early_stopping is not None and self.early_stopping.metric is not None:
            check_metric("early_stopping.metric", self.early_stopping.metric, tasks, **self._measured)
        return self

    def carrying_on(self) -> "Experiment":
        """The config of a fit that carries an artifact on: with ``daily.epochs`` and without early stopping, if set."""
        if self.daily.epochs is None:
            return self
        training = self.training.model_copy(update={"epochs": self.daily.epochs})
        return self.model_copy(update={"training": training, "early_stopping": None})

    def training_content(self) -> dict[str, Any]:
        """As plain data, without what a run does not depend on: bounds may change after it began."""
        content = self.model_dump(mode="json", by_alias=True, exclude={"promotion": True, "training": {"distribute"}})
        distributed = self.training.distribute.content()
        return {**content, **({"distribute": distributed} if distributed else {})}

    @property
    def tree_options(self) -> TreeOptions | None:
        """The trees whose scores are inputs; ``None`` without any. An architecture that reads trees implies them."""
        if self.trees is None and ARCHITECTURES[self.architecture.name].reads_trees:
            return TreeOptions(rounds="auto")
        return self.trees

    @property
    def list_column(self) -> str | None:
        """The column whose equal values are a list of the tasks' list losses; ``None`` without such a loss."""
        return list_column(self.log_schema, self.evaluation.group_by)

    @property
    def epochs(self) -> int:
        """Maximum number of epochs; an ensemble and a model without weights have one, in which they are measured."""
        alone = self.ensemble is None and ARCHITECTURES[self.architecture.name].trainable
        return self.training.epochs if alone else 1

    @property
    def keeps_state(self) -> bool:
        """Whether an artifact can be carried on; an ensemble cannot."""
        return self.export.keep_state and self.ensemble is None

    @property
    def grouped(self) -> bool:
        """Whether validation rows have groups."""
        return self.evaluation.group_by is not None

    @property
    def measurable_fusions(self) -> dict[str, Plan]:
        """Fusions whose rankings of validation rows are known before export: they read scores alone; not fitted."""
        plans = {name: plan_for(self.log_schema, StoredFusion(options=o)) for name, o in self.named_fusions.items()}
        return {name: plan for name, plan in plans.items() if not plan.features and not plan.fusion.formula.fitted}

    @property
    def _measured(self) -> dict[str, Any]:
        """What metrics within lists may name, for ``list_metric``."""
        return {"grouped": self.grouped, "fusions": list(self.measurable_fusions)}

    @property
    def list_metrics(self) -> tuple[Metric, ...]:
        """Metrics within lists that validation reports: those to report, and early stopping's."""
        stopping, tasks = self.early_stopping, self.log_schema.tasks
        names = [*self.evaluation.metrics, *([stopping.metric] if stopping is not None and stopping.metric else [])]
        found = [list_metric("evaluation.metrics", name, tasks, **self._measured) for name in names]
        return tuple(dict.fromkeys(metric for metric in found if metric is not None))

    def measuring(self, names: Iterable[str]) -> "Experiment":
        """The experiment with those of the named metrics that are within lists added to its ``evaluation.metrics``."""
        tasks = self.log_schema.tasks
        metrics = [list_metric("evaluation.metrics", name, tasks, **self._measured) for name in names]
        more = [m.name for m in metrics if m is not None and m not in self.list_metrics]
        if not more:
            return self
        evaluation = self.evaluation.model_copy(update={"metrics": (*self.evaluation.metrics, *more)})
        return self.model_copy(update={"evaluation": evaluation})

    @property
    def default_metric(self) -> str:
        """Metric that compares epochs and models if the config names none."""
        return "mean_auc" if has_auc(self.log_schema.tasks) else "mean_loss"

    @property
    def named_fusions(self) -> dict[str, FusionOptions]:
        """The default fusion and the others, by name."""
        return {DEFAULT: self.fusion, **self.fusions}

    def _check_fusions(self) -> None:
        for name in self.fusions:
            if name == DEFAULT or name in FUSIONS:
                taken = "the fusion under `fusion`" if name == DEFAULT else "a formula"
                raise ValueError(
                    f"fusions.{name}: is already the name of {taken}, so a request for fusion {name!r} would be "
                    f"ambiguous. Choose another name, such as 'my_{name}'"
                )
        for path, options in {"fusion": self.fusion, **{f"fusions.{n}": o for n, o in self.fusions.items()}}.items():
            try:
                plan_for(self.log_schema, StoredFusion(options=options))
            except FusionError as error:
                raise ValueError(f"{path}.{error}") from None


def checked(content: Mapping[str, Any]) -> Experiment:
    """Check a config given as a mapping. Raises ``ConfigError`` naming each mistake by path."""
    return check_data(content, Experiment)


def load(path: Path) -> Experiment:
    """Read and check a YAML file. Raises ``ConfigError`` naming each mistake by path and line."""
    return read(path, Experiment)


def json_schema() -> dict[str, Any]:
    """JSON Schema of a config, for editors; choices may be a bare name."""
    schema = Experiment.model_json_schema(by_alias=True)
    for section, registry in CHOICES.items():
        whole = schema["properties"][section]
        word = {"type": "string", "enum": sorted(registry)}
        schema["properties"][section] = {"anyOf": [word, whole], "description": whole.get("description", "")}
    return schema


def top_level_keys() -> list[str]:
    """Names of the sections of a config."""
    return keys(Experiment)
