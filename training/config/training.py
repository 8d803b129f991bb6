"""The config's ``training``, ``early_stopping``, ``evaluation`` and ``embedding``."""

from typing import Literal

from pydantic import Field

from ranker.config.closed import Closed
from training.config.distribute import Distribute, OneProcess


class EmbeddingOptions(Closed):
    """Starting values of tables, and regularisation that keeps the model from memorising ids."""

    l2: float = Field(0.0, ge=0, description="Penalty on the squared norm of the embeddings a row looks up.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Fraction of ids replaced by the unknown id in training.")
    vectors: dict[str, str] = Field(
        default_factory=dict,
        alias="from",
        description="Files of vectors that rows start from, by feature, with its column and lists in `vector`.",
    )
    reinitialise_each_epoch: bool = Field(
        False, description="Reinitialise the tables at the start of each epoch, nothing else (MEDA, 2023)."
    )


class EarlyStopping(Closed):
    """When to stop; the best epoch's weights are always kept."""

    metric: str | None = Field(
        None,
        description="mean_auc, mean_loss, or a task's metric such as is_click.auc, watch.rmse or, within the lists of "
        "`evaluation.group_by`, is_click.ndcg@10; by default mean_auc if any task is binary, else mean_loss.",
    )
    patience: int = Field(2, ge=1, description="Epochs without improvement before stopping.")


class Training(Closed):
    """Epochs, batches, seed, checkpoints, threads, precision."""

    epochs: int = Field(10, ge=1, le=10_000, description="Maximum number of passes over the training rows.")
    batch_size: int = Field(4096, ge=1, description="Rows per step.")
    seed: int = Field(0, ge=0, description="Seed of initial weights, shuffling, dropout, and random and group splits.")
    shuffle_rows: int = Field(262_144, ge=1, description="Size of the shuffle buffer, in rows.")
    checkpoint_every: int = Field(200, ge=1, description="Steps between checkpoints; one is also saved every epoch.")
    threads: int | None = Field(None, ge=1, description="TensorFlow's CPU threads; all by default.")
    precision: Literal["float32", "bfloat16", "auto"] = Field(
        "float32",
        description="Of the dense layers' matrix products in training steps; auto: bfloat16 if the device computes it "
        "faster. Everything else, and all scores, stay in float32.",
    )
    distribute: Distribute = Field(
        OneProcess(),
        description="The processes and devices to train on: one, mirrored, multi_worker, parameter_server.",
    )
    refit: bool = Field(
        False,
        description="After the best epoch is known, train again from the same seed on all rows, the held-out ones too, "
        "for as many epochs, and export that model. Metrics, calibration and fusions stay those of the first training.",
    )


class Evaluation(Closed):
    """Grouped metrics and confidence intervals of validation."""

    group_by: str | None = Field(
        None, description="Column that groups rows for GAUC and metrics within lists, e.g. user_id or request_id."
    )
    bootstrap: int = Field(200, ge=0, le=10_000, description="Bootstrap resamples per confidence interval; 0 for none.")
    metrics: tuple[str, ...] = Field(
        (), description="Metrics within the lists of `group_by` to report too: click.ndcg@10, like.map@5."
    )
    by: str | None = Field(
        None,
        description="Numeric feature, of any transform but buckets, by whose groups of equal frequency metrics are "
        "reported too, such as a video's duration.",
    )
    by_groups: int = Field(10, ge=2, le=100, description="Number of groups of `by`.")
