"""What a config says about a fusion, and what an artifact stores of it."""

from typing import Any

from pydantic import Field, model_validator

from ranker.config.closed import Closed, Name
from ranker.fusion.calibration import Fitted
from ranker.fusion.normalisation import NormalisationName
from ranker.fusion.rules import AnyRule


class FusionOptions(Closed):
    """From scores to a ranking: calibration, normalisation, a formula, rules."""

    name: str = Field("additive", description="The formula: additive, multiplicative, rank_bucket, ...")
    options: dict[str, Any] = Field(default_factory=dict, description="What the formula is told beside parameters.")
    parameters: dict[str, float | dict[str, float]] = Field(
        default_factory=dict, description="By name: one number for all objectives, or numbers by objective."
    )
    calibration: dict[Name, str] = Field(
        default_factory=dict, description="Method by objective, fitted on the validation rows; none for the others."
    )
    normalisation: NormalisationName | dict[Name, NormalisationName] = Field(
        "none", description="none, min_max, z_score or rank within the request: one word, or by objective."
    )
    rules: dict[Name, AnyRule] = Field(default_factory=dict, description="Steps after the formula, by name, in order.")

    @model_validator(mode="before")
    @classmethod
    def _word(cls, data: Any) -> Any:
        """A bare word is a formula with its defaults: ``fusion: additive``."""
        return {"name": data} if isinstance(data, str) else data


class FusionState(Closed):
    """What was found on the validation rows."""

    calibration: dict[Name, Fitted] = Field(default_factory=dict, description="By objective.")
    formula: dict[str, Any] | None = Field(None, description="The formula's own state, where it has one.")


class StoredFusion(Closed):
    """A fusion as an artifact holds it."""

    options: FusionOptions = FusionOptions()
    state: FusionState = FusionState()
