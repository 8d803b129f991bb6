"""Interface of estimators of a policy's value, and what most of them have in common."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple, TypeAlias

import numpy as np

from ranker.registry import Registry
from training.off_policy.logged import Floats
from training.off_policy.sample import Model, Sample

Weighting: TypeAlias = Literal["list", "cascade", "place"]

ASSUMES: Mapping[Weighting, str] = {
    "list": "nothing about users: the reward may depend on the whole list",
    "cascade": "the reward of a place depends on its candidate and those before it",
    "place": "the reward of a place depends on the place and its candidate alone",
}
"""What weights assume about users."""


class Terms(NamedTuple):
    """By request and place [R, K]; the value of a place is the sum of ``values`` over that of ``weights``.

    ``weights`` are ``None`` where every request counts 1.
    """

    values: Floats
    weights: Floats | None = None


class Estimator(ABC):
    """Estimates the mean reward of a request under the target policy.

    Attributes
    ----------
    weighting
        Which chances are compared: ``ASSUMES`` says what that takes for granted.
    needs_model
        Whether it needs the rewards that the model expects.
    title
        Name on pages.
    """

    weighting: ClassVar[Weighting]
    needs_model: ClassVar[bool] = False
    title: ClassVar[str]

    def weights(self, sample: Sample) -> Floats:
        """Importance weights [R, K], before clipping; 1 under the logging policy itself."""
        return weights(sample, self.weighting)

    @abstractmethod
    def terms(self, sample: Sample, weights: Floats) -> Terms:
        """Terms of the value by place, for weights [R, K] after clipping."""


def weights(sample: Sample, weighting: Weighting) -> Floats:
    """Importance weights [R, K]: target over logging chances, of the list, of the places so far, or of the place."""
    if weighting == "place":
        return sample.target_at / sample.logging_at
    ratios = np.cumprod(sample.target / sample.logging, axis=1, dtype=np.float64)
    return np.repeat(ratios[:, -1:], ratios.shape[1], axis=1) if weighting == "list" else ratios


class Weighted(Estimator):
    """Inverse propensity scores: ``mean(w r)``."""

    def terms(self, sample: Sample, weights: Floats) -> Terms:
        """Weighted rewards."""
        return Terms(weights * sample.rewards)


class SelfNormalised(Estimator):
    """``sum(w r) / sum(w)`` at each place: biased by the order of 1/R, and less variable."""

    def terms(self, sample: Sample, weights: Floats) -> Terms:
        """Weighted rewards, and the weights of requests that have the place."""
        return Terms(weights * sample.rewards, weights * sample.has)


class DoublyRobust(Estimator):
    """The observed mean, and the difference of the policies: by the model, and by weights where it errs.

    ``r + (E_target q - E_logging q) + (w - 1)(r - q)``: unbiased for any ``q`` if weights are right, as
    ``E_logging q - q`` has mean 0. For the logging policy itself it is the observed mean.
    """

    needs_model: ClassVar[bool] = True

    def terms(self, sample: Sample, weights: Floats) -> Terms:
        """Rewards corrected by both."""
        model = model_of(sample)
        errors = (weights - 1.0) * (sample.rewards - model.shown)
        return Terms(sample.rewards + model.target - model.logging + np.where(sample.has, errors, 0.0))


def model_of(sample: Sample) -> Model:
    """What the model expects. Raises ``ValueError`` if that is unknown."""
    if sample.model is None:
        raise ValueError("the estimator needs rewards that the model expects")
    return sample.model


ESTIMATORS: Registry[type[Estimator]] = Registry("estimator")
