"""The config's ``daily`` and ``export``: how a fit carries an artifact on, and what it leaves to the next fit."""

from pydantic import Field

from ranker.config.closed import Closed, ColumnName


class Daily(Closed):
    """How `fit --from` carries an artifact on."""

    day: ColumnName | None = Field(
        None,
        description="Column of times that `expire_after` and label statistics count days by; by default that of a "
        "split by time. Without one, each fit counts as a day.",
    )
    epochs: int | None = Field(
        None,
        ge=1,
        description="Epochs of `fit --from`, all of them: a day has too few rows for early stopping to choose by. By "
        "default `training.epochs` and `early_stopping`, as in a fit from scratch.",
    )
    refit_scales: bool = Field(
        False, description="Fit numeric scales and buckets to the new rows, instead of keeping the artifact's."
    )


class ExportOptions(Closed):
    """What an artifact holds besides the model."""

    keep_state: bool = Field(
        True, description="Keep what `fit --from` needs, in the artifact's folder `state`; it doubles its size."
    )
