"""The objectives: what a label is, how it is weighed, and what is learnt of it."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ranker.config.closed import Closed, ColumnName, Formula, formula

GivenConflicts = Literal["drop", "mask", "keep"]


class _Task(Closed):
    column: ColumnName | None = Field(None, description="Column of the label; by default the task's own name.")
    label: Formula | None = Field(
        None, description="A formula of columns that is the label, instead of a column: click * (watch_time > 10)."
    )
    mask: ColumnName | None = Field(None, description="A 0/1 column: where it is 0 this task's label is unknown.")
    given: str | None = Field(
        None, description="Another task, binary: this task's label exists only where that one's is 1."
    )
    given_conflicts: GivenConflicts | None = Field(
        None,
        description="Rows whose label is not 0 although the label of `given` is 0. drop: leave these rows out for all "
        "tasks; mask: this label is unknown there; keep: this label counts as 0. By default more than 1 % is an error.",
    )
    weight: Formula | None = Field(
        None, description="A formula of columns: each row's weight in this task's training loss, at least 0."
    )

    @model_validator(mode="after")
    def _one_label(self) -> Self:
        if self.column is not None and self.label is not None:
            raise ValueError("name column or label, not both: label is a formula that takes the column's place")
        return self

    @model_validator(mode="after")
    def _conflicts_with_a_task(self) -> Self:
        if self.given_conflicts is not None and self.given is None:
            raise ValueError("given_conflicts says what to do with labels that contradict `given`; name that task too")
        return self

    def source(self, name: str) -> str:
        """The formula or the column of the label, for messages; ``name`` is the task's."""
        return f"formula {self.label!r}" if self.label is not None else f"column {self.column or name!r}"

    def outcomes(self, name: str) -> set[str]:
        """Columns that tell what happened by themselves: the label's and the mask; ``name`` is the task's."""
        return {name for name in (None if self.label else self.column or name, self.mask) if name is not None}

    def formulas(self) -> list[str]:
        """The formulas of the label and of the weight."""
        return [text for text in (self.label, self.weight) if text is not None]

    def label_columns(self, name: str) -> list[str]:
        """Columns that the label is read from, then the mask; ``name`` is the task's."""
        columns = [self.column or name] if self.label is None else [*formula(self.label).names]
        return [*columns, *([self.mask] if self.mask is not None else [])]


class Binary(_Task):
    """A label in {0, 1}; null means unknown."""

    kind: Literal["binary"]
    positive_weight: float = Field(
        1.0, gt=0, le=1e6, description="Times the weight of rows whose label is 1; served odds grow with it."
    )


class Regression(_Task):
    """A number, for example seconds watched; null means unknown."""

    kind: Literal["regression"]
    transform: Literal["none", "log1p"] = Field("none", description="log1p: learn log(1 + y), for y >= 0.")
    loss: Literal["mse", "huber", "weighted_logistic"] = Field(
        "mse",
        description="mse, huber; or weighted_logistic, for y >= 0: a row counts y times as a positive, and the odds "
        "are the expected y.",
    )
    huber_delta: float = Field(1.0, gt=0, description="Where Huber's loss turns linear, in transformed units.")
    negatives: Literal["every_row", "zeros"] = Field(
        "every_row",
        description="For weighted_logistic, the rows that also count once as a negative. every_row: the odds are the "
        "mean label. zeros, as in the paper: they are the mean label over the share of zeros.",
    )

    @property
    def weighted_logistic(self) -> bool:
        """Whether the logit is the logarithm of the expected label."""
        return self.loss == "weighted_logistic"

    @property
    def needs_positive(self) -> str | None:
        """What asks for labels of at least 0, if anything does."""
        return "weighted_logistic" if self.weighted_logistic else "log1p" if self.transform == "log1p" else None

    @model_validator(mode="after")
    def _fits_the_loss(self) -> Self:
        if self.weighted_logistic and self.transform != "none":
            raise ValueError(
                f"loss: weighted_logistic learns the logarithm of the label's mean already; leave out transform: "
                f"{self.transform}"
            )
        if self.negatives == "zeros" and not self.weighted_logistic:
            raise ValueError(f"negatives: zeros belongs to loss: weighted_logistic, and this is {self.loss}")
        if self.negatives == "zeros" and self.given is not None:
            raise ValueError(
                f"negatives: zeros takes its negatives from the rows whose label is 0, and those given {self.given!r} "
                "have few or none, so the odds would have no bound; leave it out, and every row counts once as one"
            )
        return self


Task = Annotated[Binary | Regression, Field(discriminator="kind")]
