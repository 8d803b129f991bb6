"""Options of a student: the small model that ``distill`` trains on a full model's scores."""

from pathlib import Path

from pydantic import Field, field_validator

from ranker.architectures import ARCHITECTURES, ArchitectureOptions
from ranker.config.file import read
from training.config.experiment import CHOICES, ArchitectureChoice, InteractionChoice, NamedChoices
from training.config.optimizer import Optimizer


class StudentOptions(NamedChoices):
    """Architecture and training of a student."""

    architecture: ArchitectureChoice = Field(
        default_factory=lambda: CHOICES["architecture"]["shared_bottom"].Options(bottom=(128, 64), towers=()),
        description="As in a training config. It reads the same encoded inputs as the full model.",
    )
    interaction: InteractionChoice = Field(
        default_factory=CHOICES["interaction"]["none"].Options, description="As in a training config."
    )
    dimension: int = Field(
        8,
        ge=1,
        le=1024,
        description="Columns of an embedding, if the full model's has more; they start as its principal components.",
    )
    optimizer: Optimizer = Field(
        default_factory=lambda: Optimizer.model_validate(
            {
                "dense": {"learning_rate": 5e-3, "schedule": "cosine"},
                "embeddings": {"learning_rate": 1e-3, "schedule": "cosine"},
            }
        ),
        description="As in a training config.",
    )
    rows: int = Field(1_000_000, ge=1, description="Most rows of the log to train on, drawn by a hash.")
    recombined: int = Field(
        4,
        ge=0,
        le=100,
        description="Copies of each row with the candidate of another row, so that the student sees candidates as a "
        "retrieval returns them, not only those that were shown.",
    )
    epochs: int = Field(8, ge=1, le=10_000, description="Passes over the rows and their copies.")
    batch_size: int = Field(512, ge=1, description="Rows per step.")
    seed: int = Field(0, ge=0, description="Seed of initial weights, of the rows and copies drawn, and of shuffling.")

    @field_validator("architecture")
    @classmethod
    def _learns(cls, value: ArchitectureOptions) -> ArchitectureOptions:
        if not ARCHITECTURES[value.name].trainable:
            raise ValueError(f"name: {value.name} has no weights to learn the full model's scores with")
        return value


def load_student(path: Path) -> StudentOptions:
    """Read and check a YAML file. Raises ``ConfigError`` naming each mistake by path and line."""
    return read(path, StudentOptions)
