"""Base classes of balancing methods, which map losses (and a Gramian if needed) to task weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from math import log
from typing import ClassVar, Literal, NamedTuple

from pydantic import Field

from ranker.config.closed import Closed
from ranker.lazy_tensorflow import Module, tf
from ranker.registry import Registry, alternatives
from ranker.tasks import Binary, Task


class Balance(NamedTuple):
    """Weights of the tasks' gradients, and the gradients of the method's own variables."""

    shared: tf.Tensor
    """Weights [T] of the losses for the shared variables."""
    heads: tf.Tensor
    """Weights [T] of the losses for the task-specific variables."""
    own: list[tf.Tensor]
    """Gradients of the method's trainable variables, in order."""


class Evidence(NamedTuple):
    """Lazy measurements of a batch besides its losses; each is computed only if a method asks for it."""

    gramian: Callable[[], tf.Tensor]
    """Inner products [T, T] of the tasks' gradients."""
    quality: Callable[[], tf.Tensor]
    """Ranking quality of each task on the batch [T]: AUC, or the fraction of concordant pairs."""


class LabelFacts(NamedTuple):
    """Statistics of the training labels, known before training."""

    constant: Sequence[float]
    """Loss [T] of the best constant prediction: entropy or variance of the label."""
    untrained: Sequence[float]
    """Loss [T] if all logits are 0."""
    overlap: Sequence[Sequence[int]] = ()
    """Number of rows [T, T] that count for both tasks, or for one on the diagonal. Only ``cautions`` uses it."""

    @classmethod
    def of_rates(cls, rates: Sequence[float]) -> LabelFacts:
        """Facts of binary labels from their positive rates [T].

        Raises ``ValueError`` for a rate outside [0, 1].
        """
        for rate in rates:
            if not 0 <= rate <= 1:
                raise ValueError(f"rates must be between 0 and 1, got {rate}")
        constant = [-sum(p * log(p) for p in (rate, 1 - rate) if p > 0) for rate in rates]
        return cls(constant, [log(2)] * len(rates))


class WeightingOptions(Closed):
    """Base options of a method; each adds its ``name`` and parameters."""

    name: str = ""

    def check(self, tasks: Mapping[str, Task]) -> None:
        """Raise ``ValueError``, naming the option, if a value by task is for an unknown task."""
        for option in type(self).model_fields:
            value = getattr(self, option)
            if isinstance(value, Mapping):
                per_task(value, tasks, option, default=0.0)


class ScaledOptions(WeightingOptions):
    """Options of a method that can scale losses by their priors first."""

    scale_by: Literal["prior", "none"] = Field(
        "none", description="prior: divide each loss by the loss of the best constant prediction. none: no scaling."
    )

    def scales(self, tasks: Mapping[str, Task], facts: LabelFacts | None) -> list[float]:
        """Factors [T] of the losses; 0 for a constant label."""
        if self.scale_by == "none":
            return [1.0] * len(tasks)
        return prior_scales(tasks, facts)


class Weighting(Module):
    """Base of all methods. ``Balancer`` and ``RankingModel`` call ``build`` with the tasks in order."""

    Options: ClassVar[type[WeightingOptions]]
    looks_back: ClassVar[bool] = False
    """Whether ``after`` needs the losses of the same batch after the step."""
    asynchronous: ClassVar[bool] = False
    """Whether steps of several workers may overlap: each then reads variables that others move meanwhile."""
    reads_kinds: ClassVar[bool] = False
    """Whether regression and binary losses are treated differently."""
    every: int = 1
    """Number of steps between calls of ``balance``; the steps between ``reuse`` its result."""

    def __init__(self, options: WeightingOptions | None = None) -> None:
        super().__init__()
        self.options = options if options is not None else self.Options()

    @property
    def reads_facts(self) -> bool:
        """Whether the method needs label statistics (:class:`LabelFacts`)."""
        return isinstance(self.options, ScaledOptions) and self.options.scale_by == "prior"

    def build(self, tasks: Mapping[str, Task], facts: LabelFacts | None = None) -> None:
        """Check task names in the options and create variables; most methods have neither.

        Without ``facts`` each kind's ``typical_loss`` is used.
        """

    def balance(self, losses: tf.Tensor, evidence: Evidence) -> Balance:
        """Map losses [T] to weights. A loss of 0 means that the task has no labels in the batch."""
        raise NotImplementedError

    def reuse(self) -> Balance:
        """Return the last result of ``balance``; called only if ``every`` is above 1."""
        raise NotImplementedError

    def after(self, losses: tf.Tensor) -> None:
        """Receive the batch's losses [T] after the step; called only if ``looks_back``."""

    def cautions(self, tasks: Mapping[str, Task], facts: LabelFacts) -> list[str]:
        """Return warnings about this method on these labels. Raises ``ValueError`` if it cannot work."""
        del tasks, facts
        return []


class LossBalancer(Weighting):
    """A method with one objective of the losses; the weights are the objective's gradient with respect to them."""

    asynchronous = True

    def objective(self, losses: tf.Tensor) -> tf.Tensor:
        """Map losses [T] to a scalar to minimise."""
        raise NotImplementedError

    def balance(self, losses: tf.Tensor, evidence: Evidence) -> Balance:
        """Differentiate the objective; ``evidence`` is unused."""
        del evidence
        with tf.GradientTape() as tape:
            tape.watch(losses)
            objective = self.objective(losses)
        seed, own = tape.gradient(objective, (losses, list(self.trainable_variables)), unconnected_gradients="zero")
        return Balance(shared=seed, heads=seed, own=own)


class LossWeigher(Weighting):
    """A method that computes loss weights directly, not as the gradient of an objective."""

    def weights(self, losses: tf.Tensor, evidence: Evidence) -> tf.Tensor:
        """Map losses [T] to weights [T]."""
        raise NotImplementedError

    def balance(self, losses: tf.Tensor, evidence: Evidence) -> Balance:
        """Use the same weights for shared and task-specific variables."""
        weights = tf.stop_gradient(self.weights(losses, evidence))
        return Balance(shared=weights, heads=weights, own=[])


class GradientOptions(ScaledOptions):
    """Options common to all gradient methods; each adds its ``name`` and its own options."""

    gradients_of: Literal["representation", "shared", "shared_with_embeddings"] = Field(
        "representation",
        description="representation: gradients of the trunk's outputs, one backward pass through the trunk. "
        "shared: gradients of all shared dense variables, one backward pass through the trunk per task. "
        "shared_with_embeddings: also those of the embeddings that the batch reads.",
    )
    every: int = Field(
        1, ge=1, le=10_000, description="Compare gradients every this many steps and keep the weights in between."
    )


class GradientBalancer(Weighting):
    """A method that weights task gradients of shared variables; each head keeps its own task's gradient."""

    options: GradientOptions

    def __init__(self, options: GradientOptions | None = None) -> None:
        super().__init__(options)
        self.gradients_of, self.every = self.options.gradients_of, self.options.every
        self._tasks: int | None = None

    def build(self, tasks: Mapping[str, Task], facts: LabelFacts | None = None) -> None:
        """Check per-task options and create state variables."""
        self._tasks, self._scales = len(tasks), self.options.scales(tasks, facts)
        self._held = tf.Variable(tf.ones([len(tasks)]), trainable=False, name="held_weights")
        self.prepare(tasks)

    def prepare(self, tasks: Mapping[str, Task]) -> None:
        """Put per-task options in task order and create variables; many methods have neither."""

    def weights(self, losses: tf.Tensor, gramian: tf.Tensor) -> tf.Tensor:
        """Map losses [T] and Gramian [T, T] to weights [T].

        A method that is not built yet is built for unnamed tasks; per-task options then raise ``ValueError``.
        """
        if self._tasks is None:
            self.build({str(i): Binary(kind="binary") for i in range(gramian.shape[0])})
        if self._tasks != gramian.shape[0]:
            raise ValueError(f"this method was built for {self._tasks} task(s), got a Gramian of {gramian.shape[0]}")
        return tf.cast(self.solve(losses, gramian), losses.dtype)

    def solve(self, losses: tf.Tensor, gramian: tf.Tensor) -> tf.Tensor:
        """The method itself: map losses [T] and Gramian [T, T] to weights [T] of any float type."""
        raise NotImplementedError

    def balance(self, losses: tf.Tensor, evidence: Evidence) -> Balance:
        """Weight the shared gradients, of scaled losses if configured."""
        scales = tf.constant(self._scales, losses.dtype)
        gramian = scales[:, None] * evidence.gramian() * scales
        weights = tf.stop_gradient(scales * self.weights(scales * losses, gramian))
        if self.every > 1:
            # A task absent from this batch may be present in the next.
            self._held.assign(tf.where(losses > 0, weights, self._held))
        return Balance(shared=weights, heads=scales, own=[])

    def reuse(self) -> Balance:
        """Return the weights of the last step that compared gradients."""
        weights = self._held.read_value()
        return Balance(shared=weights, heads=tf.constant(self._scales, weights.dtype), own=[])

    def cautions(self, tasks: Mapping[str, Task], facts: LabelFacts) -> list[str]:
        """Warn if few rows have labels of two tasks, since representation gradients are compared row by row."""
        if self.gradients_of != "representation":
            return []
        doubtful = []
        for (i, first), (j, second) in combinations(enumerate(tasks), 2):
            both, fewer = facts.overlap[i][j], min(facts.overlap[i][i], facts.overlap[j][j])
            pair = f"{first!r} and {second!r}"
            if fewer and not both:
                raise ValueError(
                    "weighting.gradients_of: representation compares gradients row by row, and no row has labels of "
                    f"both {pair}, so their conflicts would not be seen; use gradients_of: shared"
                )
            if both < fewer / 2:
                doubtful.append(
                    "weighting.gradients_of: representation compares gradients row by row, and only "
                    f"{both / fewer:.0%} of the rows that could have labels of both {pair} do; "
                    "gradients_of: shared is exact"
                )
        return doubtful


def per_task(
    values: float | Mapping[str, float], tasks: Mapping[str, Task], option: str, default: float
) -> list[float]:
    """Expand one number for all tasks, or numbers by task name, to a list in task order.

    Raises ``ValueError`` naming the option and the unknown task.
    """
    if not isinstance(values, Mapping):
        return [float(values)] * len(tasks)
    for name in values:
        if name not in tasks:
            raise ValueError(f"weighting.{option}: unknown task {name!r}{alternatives(name, tasks)}")
    return [float(values.get(name, default)) for name in tasks]


def constant_losses(tasks: Mapping[str, Task], facts: LabelFacts | None) -> list[float]:
    """Loss [T] of the best constant prediction; the kinds' typical losses without facts."""
    return list(facts.constant) if facts is not None else _assumed(tasks)


def prior_scales(tasks: Mapping[str, Task], facts: LabelFacts | None) -> list[float]:
    """1 / loss [T] of the best constant prediction; 0 for a constant label."""
    return [1 / loss if loss > 0 else 0.0 for loss in constant_losses(tasks, facts)]


def untrained_losses(tasks: Mapping[str, Task], facts: LabelFacts | None) -> list[float]:
    """Loss [T] before training; the kinds' typical losses without facts."""
    return list(facts.untrained) if facts is not None else _assumed(tasks)


def _assumed(tasks: Mapping[str, Task]) -> list[float]:
    return [task.typical_loss for task in tasks.values()]


def present(losses: tf.Tensor) -> tf.Tensor:
    """1 for a task with labels in the batch, else 0 [T]: only a task without labels has a loss of exactly 0."""
    return tf.cast(losses > 0, losses.dtype)


WEIGHTINGS: Registry[type[Weighting]] = Registry("weighting")
