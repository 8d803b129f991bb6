"""What every balancing method is: losses, and if asked for a Gramian, to one seed vector."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from math import log
from typing import ClassVar, Literal, NamedTuple

from pydantic import Field

from ranker.config.closed import Closed
from ranker.lazy_tensorflow import Module, tf
from ranker.registry import Registry, nearest
from ranker.tasks import Binary, Task


class Balance(NamedTuple):
    """Weights of the tasks' gradients, and the gradients of the method's own variables."""

    shared: tf.Tensor
    """Seed [T] for the variables that tasks share."""
    heads: tf.Tensor
    """Seed [T] for the tasks' own variables."""
    own: list[tf.Tensor]
    """Gradients of the method's own trainable variables, in their order."""


class Evidence(NamedTuple):
    """What a method may ask about the batch beside its losses; each costs something only if asked."""

    gramian: Callable[[], tf.Tensor]
    """Inner products [T, T] of the tasks' gradients."""
    quality: Callable[[], tf.Tensor]
    """How well each task ranks the batch [T]: AUC, for other labels the share of pairs in the right order."""


class LabelFacts(NamedTuple):
    """What the training rows' labels say before any training."""

    constant: Sequence[float]
    """Loss [T] of the best constant prediction: the label's entropy, or its variance."""
    untrained: Sequence[float]
    """Loss [T] of a model whose logits are all 0."""
    overlap: Sequence[Sequence[int]] = ()
    """Rows [T, T] that count for both tasks; on the diagonal, for each. Only ``cautions`` need them."""

    @classmethod
    def of_rates(cls, rates: Sequence[float]) -> LabelFacts:
        """Facts of binary labels, from the share [T] of rows whose label is 1.

        Raises ``ValueError`` for a rate outside of 0 to 1.
        """
        for rate in rates:
            if not 0 <= rate <= 1:
                raise ValueError(f"rates must be between 0 and 1, got {rate}")
        constant = [-sum(p * log(p) for p in (rate, 1 - rate) if p > 0) for rate in rates]
        return cls(constant, [log(2)] * len(rates))


class WeightingOptions(Closed):
    """Base of the options of a method; each adds its ``name`` and parameters."""

    name: str = ""

    def check(self, tasks: Mapping[str, Task]) -> None:
        """Raise ``ValueError``, naming the option, where an option by task names none of ``tasks``."""
        for option in type(self).model_fields:
            value = getattr(self, option)
            if isinstance(value, Mapping):
                per_task(value, tasks, option, default=0.0)


class ScaledOptions(WeightingOptions):
    """Options of a method whose losses may be divided by their priors first."""

    scale_by: Literal["prior", "none"] = Field(
        "none", description="prior: divide each loss by that of the best constant prediction. none: take it as it is."
    )

    def scales(self, tasks: Mapping[str, Task], facts: LabelFacts | None) -> list[float]:
        """What each task's loss is multiplied by [T]; 0 for a label that is always the same."""
        if self.scale_by == "none":
            return [1.0] * len(tasks)
        return prior_scales(tasks, facts)


class Weighting(Module):
    """Base of all methods. ``Balancer`` and ``RankingModel`` build what they are given, with the tasks in order."""

    Options: ClassVar[type[WeightingOptions]]
    looks_back: ClassVar[bool] = False
    """Whether ``after`` wants the losses of the same batch once more, with the step taken."""
    reads_kinds: ClassVar[bool] = False
    """Whether a regression's loss is treated otherwise than a binary task's."""
    every: int = 1
    """Of how many steps one asks ``balance``; the others ``reuse`` what it said."""

    def __init__(self, options: WeightingOptions | None = None) -> None:
        super().__init__()
        self.options = options if options is not None else self.Options()

    @property
    def reads_facts(self) -> bool:
        """Whether the method starts from what the labels say (:class:`LabelFacts`)."""
        return isinstance(self.options, ScaledOptions) and self.options.scale_by == "prior"

    def build(self, tasks: Mapping[str, Task], facts: LabelFacts | None = None) -> None:
        """Check task names in the options and create variables; most methods have neither.

        Without ``facts``, where no data is at hand, each kind's ``typical_loss`` stands for the task's.
        """

    def balance(self, losses: tf.Tensor, evidence: Evidence) -> Balance:
        """Losses [T] to seeds. A loss of 0 is that of a task without labels in the batch."""
        raise NotImplementedError

    def reuse(self) -> Balance:
        """What ``balance`` said last; called only where ``every`` is above 1."""
        raise NotImplementedError

    def after(self, losses: tf.Tensor) -> None:
        """Take the batch's losses [T] after the step; called only where ``looks_back``."""

    def cautions(self, tasks: Mapping[str, Task], facts: LabelFacts) -> list[str]:
        """Say what is doubtful about this method on such labels. Raises ``ValueError`` for what cannot work."""
        del tasks, facts
        return []


class LossBalancer(Weighting):
    """A method that combines the losses into one objective; its seed is the objective's gradient by the losses."""

    def objective(self, losses: tf.Tensor) -> tf.Tensor:
        """Losses [T] to a scalar to be minimised."""
        raise NotImplementedError

    def balance(self, losses: tf.Tensor, evidence: Evidence) -> Balance:
        """Differentiate the objective; nothing else is asked for."""
        del evidence
        with tf.GradientTape() as tape:
            tape.watch(losses)
            objective = self.objective(losses)
        seed, own = tape.gradient(objective, (losses, list(self.trainable_variables)), unconnected_gradients="zero")
        return Balance(shared=seed, heads=seed, own=own)


class LossWeigher(Weighting):
    """A method that computes a weight for each loss, without an objective that it would be the gradient of."""

    def weights(self, losses: tf.Tensor, evidence: Evidence) -> tf.Tensor:
        """Losses [T] to weights [T]."""
        raise NotImplementedError

    def balance(self, losses: tf.Tensor, evidence: Evidence) -> Balance:
        """Weigh shared and own variables alike."""
        weights = tf.stop_gradient(self.weights(losses, evidence))
        return Balance(shared=weights, heads=weights, own=[])


class GradientOptions(ScaledOptions):
    """Options that every gradient method has; each adds its ``name`` and its own."""

    gradients_of: Literal["representation", "shared", "shared_with_embeddings"] = Field(
        "representation",
        description="representation: gradients of the trunk's outputs, one pass through the trunk. "
        "shared: gradients of all shared dense variables, one pass through the trunk for each task. "
        "shared_with_embeddings: besides, of the embeddings that the batch reads.",
    )
    every: int = Field(
        1, ge=1, le=10_000, description="Compare gradients in each so many steps; the weights hold in between."
    )


class GradientBalancer(Weighting):
    """A method that weighs the tasks' gradients of shared variables; each head keeps its own task's gradient."""

    options: GradientOptions

    def __init__(self, options: GradientOptions | None = None) -> None:
        super().__init__(options)
        self.gradients_of, self.every = self.options.gradients_of, self.options.every
        self._tasks: int | None = None

    def build(self, tasks: Mapping[str, Task], facts: LabelFacts | None = None) -> None:
        """Check the options by task and create what the method remembers."""
        self._tasks, self._scales = len(tasks), self.options.scales(tasks, facts)
        self._held = tf.Variable(tf.ones([len(tasks)]), trainable=False, name="held_weights")
        self.prepare(tasks)

    def prepare(self, tasks: Mapping[str, Task]) -> None:
        """Put options in task order and create variables; many methods have neither."""

    def weights(self, losses: tf.Tensor, gramian: tf.Tensor) -> tf.Tensor:
        """Losses [T] and Gramian [T, T] to weights [T].

        Not built yet, the method is built for tasks without names; options by task then raise ``ValueError``.
        """
        if self._tasks is None:
            self.build({str(i): Binary(kind="binary") for i in range(gramian.shape[0])})
        if self._tasks != gramian.shape[0]:
            raise ValueError(f"this method was built for {self._tasks} task(s), got a Gramian of {gramian.shape[0]}")
        return tf.cast(self.solve(losses, gramian), losses.dtype)

    def solve(self, losses: tf.Tensor, gramian: tf.Tensor) -> tf.Tensor:
        """The method itself: losses [T] and Gramian [T, T] to weights [T] of any float type."""
        raise NotImplementedError

    def balance(self, losses: tf.Tensor, evidence: Evidence) -> Balance:
        """Weigh the shared gradients, those of scaled losses if asked."""
        scales = tf.constant(self._scales, losses.dtype)
        gramian = scales[:, None] * evidence.gramian() * scales
        weights = tf.stop_gradient(scales * self.weights(scales * losses, gramian))
        if self.every > 1:
            # A batch may lack a task that the next ones have.
            self._held.assign(tf.where(losses > 0, weights, self._held))
        return Balance(shared=weights, heads=scales, own=[])

    def reuse(self) -> Balance:
        """The weights of the last step that compared gradients."""
        weights = self._held.read_value()
        return Balance(shared=weights, heads=tf.constant(self._scales, weights.dtype), own=[])

    def cautions(self, tasks: Mapping[str, Task], facts: LabelFacts) -> list[str]:
        """Gradients of representations are compared row by row, which says nothing where rows carry one label each."""
        if self.gradients_of != "representation":
            return []
        doubtful = []
        for (i, first), (j, second) in combinations(enumerate(tasks), 2):
            both, fewer = facts.overlap[i][j], min(facts.overlap[i][i], facts.overlap[j][j])
            pair = f"{first!r} and {second!r}"
            if fewer and not both:
                raise ValueError(
                    "weighting.gradients_of: representation compares gradients row by row, and no row has labels of "
                    f"both {pair}, so that they would never be seen to conflict; say gradients_of: shared"
                )
            if both < fewer / 2:
                doubtful.append(
                    "weighting.gradients_of: representation compares gradients row by row, and of the rows that could "
                    f"have labels of both {pair} only {both / fewer:.0%} do; gradients_of: shared is exact"
                )
        return doubtful


def per_task(
    values: float | Mapping[str, float], tasks: Mapping[str, Task], option: str, default: float
) -> list[float]:
    """One number for all tasks, or numbers by task name, to a list in task order.

    Raises ``ValueError`` naming the option and the unknown task.
    """
    if not isinstance(values, Mapping):
        return [float(values)] * len(tasks)
    for name in values:
        if name not in tasks:
            hint = nearest(name, list(tasks))
            known = ", ".join(tasks)
            raise ValueError(f"weighting.{option}: unknown task {name!r}{'; ' + hint if hint else ''} (known: {known})")
    return [float(values.get(name, default)) for name in tasks]


def constant_losses(tasks: Mapping[str, Task], facts: LabelFacts | None) -> list[float]:
    """Each task's loss of the best constant prediction [T]; without facts the kinds' typical losses."""
    return list(facts.constant) if facts is not None else _assumed(tasks)


def prior_scales(tasks: Mapping[str, Task], facts: LabelFacts | None) -> list[float]:
    """1 over each task's loss of the best constant prediction [T]; 0 for a label that is always the same."""
    return [1 / loss if loss > 0 else 0.0 for loss in constant_losses(tasks, facts)]


def untrained_losses(tasks: Mapping[str, Task], facts: LabelFacts | None) -> list[float]:
    """Each task's loss before any training [T]; without facts the kinds' typical losses."""
    return list(facts.untrained) if facts is not None else _assumed(tasks)


def _assumed(tasks: Mapping[str, Task]) -> list[float]:
    return [task.typical_loss for task in tasks.values()]


def present(losses: tf.Tensor) -> tf.Tensor:
    """1 for a task with labels in the batch, 0 for one without [T]: only the latter's loss is exactly 0."""
    return tf.cast(losses > 0, losses.dtype)


WEIGHTINGS: Registry[type[Weighting]] = Registry("weighting")
