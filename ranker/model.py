"""The training model and the exported scoring function."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import tensorflow as tf
import tensorflow_recommenders as tfrs

from ranker import replicas
from ranker.architectures import Architecture
from ranker.batch_quality import batch_quality
from ranker.encoding.layout import Layout
from ranker.fitted_tasks import numbers_read
from ranker.funnels import EntireSpace, Funnel
from ranker.funnels.base import Errors
from ranker.heads import task_of
from ranker.layers import Embedding, Precision, products_in
from ranker.layers.interaction import Interaction
from ranker.losses import ListLosses, TaskErrors
from ranker.optimizers.grouped import kept_apart
from ranker.optimizers.per_task import task_parts
from ranker.outcomes import outcomes
from ranker.position import POSITION, PositionMethod
from ranker.rank_losses import LISTS
from ranker.schema import Schema
from ranker.step_plan import ALL, EMBEDDINGS, SHARED, Turn, cycled
from ranker.task_logits import by_task, with_numbers
from ranker.weighting import BalancingTape, GradientBalancer, LabelFacts, Weighting

INPUTS = ("context_ids", "context_numbers", "candidate_ids", "candidate_numbers")


class RankingModel(tfrs.Model):
    """Embedding, interactions, architecture and funnel, trained with one balancing method.

    There is one interaction per embedding set of the architecture. The architecture has one head per task, followed by
    the further ones of tasks with several logits and one per entry of the funnel's ``extra_heads``. ``facts`` are for
    balancing methods that need label statistics. ``precision`` is that of the dense layers' products in training steps;
    scores are always computed in float32. ``position`` corrects losses for the places where items were shown; scores
    know none.

    Made in the scope of a ``tf.distribute`` strategy, each of its replicas takes a share of a batch, and losses,
    Gramians and gradients are those of all shares together.

    A training batch has the packed arrays (:data:`INPUTS`, except those without columns), ``labels`` [B, T], ``known``
    [B, T], ``weights`` [B, T] if rows are weighted, ``lists`` [B], the key of each row's list or 0, if a task has a
    list loss, and with ``position`` the logged ``position`` [B]. Calling the model on packed arrays gives scores [B, T]
    in the schema's task order.
    """

    def __init__(
        self,
        schema: Schema,
        embedding: Embedding,
        interactions: Sequence[Interaction],
        architecture: Architecture,
        weighting: Weighting,
        funnel: Funnel | None = None,
        facts: LabelFacts | None = None,
        precision: Precision = "float32",
        position: PositionMethod | None = None,
    ) -> None:
        super().__init__(name="ranking_model")
        funnel = funnel or EntireSpace(schema)
        if architecture.tasks != funnel.heads:
            raise ValueError(f"the architecture must have heads {', '.join(funnel.heads)}, got {architecture.tasks}")
        if not architecture.embedding_sets == embedding.sets == len(interactions):
            raise ValueError(
                f"this architecture reads {architecture.embedding_sets} embedding set(s), got an embedding with "
                f"{embedding.sets} and {len(interactions)} interaction(s)"
            )
        self.schema = schema
        self.tasks = list(schema.tasks)
        self.embedding = embedding
        self.interactions = list(interactions)
        self.architecture = architecture
        self.weighting = weighting
        self.precision = precision
        self.funnel = funnel
        self.position = position
        self.errors = TaskErrors(list(schema.tasks.values()))
        self.list_losses = ListLosses(funnel)
        weighting.build(schema.tasks, facts)
        self.architecture.logits(self._trunk(example_inputs(embedding.layout), training=False))  # creates all variables
        self(example_inputs(embedding.layout))
        self._compared = self._compared_variables()
        self.turns = cycled((ALL,), weighting.every)

    def call(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Map packed arrays, with one context row or one per candidate, to scores [B, T]."""
        return self.funnel.scores(self._blended(self.task_logits(inputs, training), inputs))

    def task_logits(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> list[tf.Tensor]:
        """Logits of each task, [B], or [B, K] of a task with several, followed by the number that it reads, if any.

        They are the network's, of no position and not blended with trees.
        """
        shared, heads = self._trunk(inputs, training), len(self.funnel.served_heads)
        return self._by_task(self.architecture.logits(shared, training=training, heads=heads), inputs)

    def compute_loss(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> list[tf.Tensor]:
        """Compute the T scalar task losses of a batch."""
        logits = self._by_task(self.architecture.logits(self._trunk(inputs, training), training=training), inputs)
        return self._task_losses(logits, inputs, training)

    def train_step(self, batch: Mapping[str, tf.Tensor], turn: Turn = ALL) -> dict[str, tf.Tensor]:
        """Run one step of any balancing method; ``turn`` selects the tasks and variables to train."""
        by_task = {variable.ref() for variable in kept_apart(self.optimizer)}
        tape = BalancingTape(self.weighting, self.tasks, by_task=bool(by_task))
        with products_in(self.precision), tape:
            trunk = self._trunk(batch, training=True)
            penalties = [*self.embedding.losses, *self.architecture.trunk.losses]
            of_heads = self.architecture.logits(tape.share(trunk), training=True)
            logits = self._by_task(of_heads, batch)
            losses = self._task_losses(logits, batch, training=True)
            penalties += self.architecture.penalties(of_heads[: len(self.tasks)])
        shared, heads = self._trained(turn)
        moving = {variable.ref() for variable in shared}
        apart = [variable for variable in shared if variable.ref() in by_task]

        def quality() -> tf.Tensor:
            scores = self.funnel.scores(logits[: len(self.tasks)])
            return batch_quality(scores, outcomes(self.schema, batch["labels"]), batch["known"])

        gradients = tape.gradients(
            self._only_trained(losses, turn),
            [*shared, *heads],
            shared=shared,
            compared=[v for v in self._compared if v.ref() in moving],
            apart=apart,
            penalties=penalties,
            quality=quality,
            compare=turn.compare,
        )
        parts = task_parts(gradients.task_gradients, apart, gradients.weights)
        own = [(part, variable) for part, variable in zip(parts, apart, strict=True) if part is not None]
        replicas.apply(self.optimizer, [*own, *gradients.updates])
        if self.weighting.looks_back:
            with products_in(self.precision):
                again = self.compute_loss(batch, training=True)
            self.weighting.after(replicas.summed(tf.stack(self._only_trained(again, turn))))
        weights = tf.stack(self._only_trained(tf.unstack(gradients.weights), turn))
        logged = {} if gradients.gramian is None else {"gramian": gradients.gramian}
        every = all(turn.takes(task) for task in self.tasks)
        logged["losses"] = gradients.losses if every else replicas.summed(tf.stack(losses))
        return {"weights": weights, **logged}

    def make_train_function(self, force: bool = False) -> Callable[[Any], dict[str, tf.Tensor]]:
        """Compile each kind of turn once; Keras' fit calls the returned function for every step."""
        if self.train_function is None or force:
            compiled: dict[Turn, Any] = {}

            def step(iterator: Any) -> Any:
                turn = next(self.turns)
                if turn not in compiled:
                    function: Callable[..., Any] = partial(self.train_step, turn=turn)
                    if self.distribute_strategy.num_replicas_in_sync > 1:
                        function = replicas.everywhere(function, self.distribute_strategy, LISTS)
                    signature = [iterator.element_spec]
                    compiled[turn] = (
                        function
                        if self.run_eagerly
                        else tf.function(function, input_signature=signature, autograph=False)
                    )
                self._train_counter.assign_add(1)
                return compiled[turn](next(iterator))

            self.train_function: Any = step
        function: Callable[[Any], dict[str, tf.Tensor]] = self.train_function
        return function

    def test_step(self, batch: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Task losses [T]."""
        return {"losses": tf.stack(self.compute_loss(batch))}

    @property
    def shared_variables(self) -> list[tf.Variable]:
        """Variables shared by tasks: embedding tables, interactions and trunk."""
        parts = (self.embedding, *self.interactions, self.architecture.trunk)
        return [variable for part in parts for variable in part.trainable_variables]

    @property
    def wide_variables(self) -> list[tf.Variable]:
        """Shared variables of an interaction's wide part."""
        return [variable for interaction in self.interactions for variable in interaction.wide_variables]

    @property
    def head_variables(self) -> list[tf.Variable]:
        """Task-specific variables."""
        heads = zip(self.architecture.tasks, self.architecture.heads, strict=True)
        return [variable for name, head in heads for variable in self.variables_of(name, head)]

    def variables_of(self, name: str, head: tf.keras.layers.Layer) -> list[tf.Variable]:
        """Trainable variables of the head of this name, and of the position tower of the task of the same name."""
        return [*head.trainable_variables, *(self.position.variables_of(name) if self.position is not None else ())]

    def _trunk(self, inputs: Mapping[str, tf.Tensor], training: bool) -> list[tf.Tensor]:
        embedded = self.embedding(inputs, training=training)
        sides = [interaction(pair) for interaction, pair in zip(self.interactions, embedded, strict=True)]
        trunk: list[tf.Tensor] = self.architecture.trunk(sides if len(sides) > 1 else sides[0], training=training)
        return trunk

    def _by_task(self, logits: list[tf.Tensor], inputs: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
        numbers = numbers_read(self.schema, self.embedding.layout, inputs)
        return with_numbers(by_task(logits, self.schema.tasks), numbers)

    def _blended(self, logits: list[tf.Tensor], inputs: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
        """Logits (T tensors [B]) with the tree scores that are blended with them; losses are of the network's own."""
        blended = list(logits)
        for field in self.embedding.layout.candidate.trees:
            if field.blend is not None:
                place = self.tasks.index(field.task)
                trees = inputs["candidate_numbers"][:, field.start] / field.scale + field.shift
                blended[place] = field.blend * trees + (1.0 - field.blend) * logits[place]
        return blended

    def _task_losses(
        self, logits: list[tf.Tensor], batch: Mapping[str, tf.Tensor], training: bool = False
    ) -> list[tf.Tensor]:
        labels = batch["labels"]
        weights = self.errors.row_weights(labels, batch["known"])
        if "weights" in batch:
            weights = weights * batch["weights"]

        def errors(task: int, logit: tf.Tensor) -> tf.Tensor:
            found: tf.Tensor = self.errors(labels, logit, task=task)
            return found

        errors_of: Errors = errors
        if self.position is not None and POSITION in batch:  # rows without positions are measured as they are served
            logits, errors_of = self.position.trained(logits, batch, weights, errors, training)

        def measured() -> list[tf.Tensor]:
            losses = self.funnel.losses(logits, labels, weights, errors_of)
            return self.list_losses.added(losses, logits, labels, weights, batch)

        return replicas.together(measured)

    def _only_trained(self, values: list[tf.Tensor], turn: Turn) -> list[tf.Tensor]:
        """Values of the tasks, 0 for tasks not trained: a loss of 0 means a task without labels."""
        pairs = zip(self.tasks, values, strict=True)
        return [value if turn.takes(task) else tf.zeros_like(value) for task, value in pairs]

    def _trained(self, turn: Turn) -> tuple[list[tf.Variable], list[tf.Variable]]:
        """Shared and head variables, without those frozen in the turn."""
        tables = {table.ref() for table in self.embedding.table_variables}
        shared = [v for v in self.shared_variables if (EMBEDDINGS if v.ref() in tables else SHARED) not in turn.frozen]
        heads = [
            variable
            for name, head in zip(self.architecture.tasks, self.architecture.heads, strict=True)
            if turn.takes(task_of(name)) and task_of(name) not in turn.frozen
            for variable in self.variables_of(name, head)
        ]
        return shared, heads

    def _compared_variables(self) -> list[tf.Variable]:
        """Shared variables whose gradients the method compares; none if it compares the trunk's outputs."""
        if not isinstance(self.weighting, GradientBalancer) or self.weighting.gradients_of == "representation":
            return []
        interactions = [variable for layer in self.interactions for variable in layer.trainable_variables]
        compared = [*self.embedding.dense_variables, *interactions, *self.architecture.trunk.trainable_variables]
        if not compared:
            raise ValueError(
                f"weighting.gradients_of: {self.weighting.gradients_of} compares gradients of shared dense variables, "
                "but this architecture has none; use representation"
            )
        with_tables = self.weighting.gradients_of == "shared_with_embeddings"
        return [*compared, *self.embedding.table_variables] if with_tables else compared


def example_inputs(layout: Layout) -> dict[str, tf.Tensor]:
    """Packed arrays with one row of zeros, without arrays that have no columns."""
    return {name: tf.zeros([1, spec.shape[1]], spec.dtype) for name, spec in input_signature(layout).items()}


def input_signature(layout: Layout) -> dict[str, tf.TensorSpec]:
    """Shapes and types of the served function's packed arrays."""
    widths = zip(INPUTS, layout.widths(), strict=True)
    return {
        name: tf.TensorSpec([None, width], tf.int32 if name.endswith("ids") else tf.float32, name=name)
        for name, width in widths
        if width
    }


def read_inputs(model: RankingModel, arrays: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """Arrays of a batch, or some of its rows, as tensors: those that the model reads, as :func:`served` takes them."""
    return {name: tf.constant(arrays[name]) for name in input_signature(model.embedding.layout)}


def served(model: RankingModel) -> Any:
    """Return the function to export: one context row, or one per candidate, and N candidates to scores [N, T]."""

    @tf.function(input_signature=[input_signature(model.embedding.layout)], autograph=False)
    def score(inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {"scores": model(inputs)}

    return score
