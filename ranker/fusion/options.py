"""Fusion options in configs, and their stored form in artifacts."""

from typing import Any

from pydantic import Field, model_validator

from ranker.config.closed import Closed, Name
from ranker.fusion.calibration import Fitted
from ranker.fusion.exploration.options import AnyExploration
from ranker.fusion.normalisation import NormalisationName
from ranker.fusion.reranking.options import AnyStep
from ranker.fusion.rules import AnyRule


class FusionOptions(Closed):
    """Steps from scores to a ranking: calibration, normalisation, formula, rules, re-ranking, exploration."""

    name: str = Field("additive", description="The formula: additive, multiplicative, rank_bucket, ...")
    options: dict[str, Any] = Field(default_factory=dict, description="Options of the formula besides parameters.")
    parameters: dict[str, float | dict[str, float]] = Field(
        default_factory=dict, description="Parameters by name: one number for all objectives, or numbers by objective."
    )
    calibration: dict[Name, str] = Field(
        default_factory=dict,
        description="Calibration method by objective, fitted on the validation rows; others are not calibrated.",
    )
    normalisation: NormalisationName | dict[Name, NormalisationName] = Field(
        "none", description="none, min_max, z_score or rank within the request: one for all, or by objective."
    )
    rules: dict[Name, AnyRule] = Field(default_factory=dict, description="Steps after the formula, by name, in order.")
    rerank: dict[Name, AnyStep] = Field(
        default_factory=dict,
        description="Steps on the fused order after rules, by name: diversifiers in order, then constraints together.",
    )
    explore: AnyExploration | None = Field(
        None, description="Last step: first places drawn at random, with known propensities. Default: none."
    )

    @model_validator(mode="before")
    @classmethod
    def _word(cls, data: Any) -> Any:
        """Accept a bare formula name: ``fusion: additive``."""
        return {"name": data} if isinstance(data, str) else data


class FusionState(Closed):
    """State fitted on the validation rows."""

    calibration: dict[Name, Fitted] = Field(default_factory=dict, description="Fitted calibration by objective.")
    formula: dict[str, Any] | None = Field(None, description="The formula's fitted state, if any.")


class StoredFusion(Closed):
    """A fusion as stored in an artifact."""

    options: FusionOptions = FusionOptions()
    state: FusionState = FusionState()
