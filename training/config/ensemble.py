"""The config's ``ensemble``: members that are trained on the same rows and served as one model."""

from pydantic import Field

from ranker.config.closed import Closed


class Ensemble(Closed):
    """Models that differ by their seed only, served side by side with the mean of their logits."""

    seeds: int = Field(ge=2, le=32, description="Number of members; each has its own seed, drawn from training.seed.")
