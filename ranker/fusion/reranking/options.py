"""The type of a step in a config: one of all registered kinds."""

import operator
from functools import reduce
from typing import TYPE_CHECKING, Annotated, TypeAlias

from pydantic import Field

import ranker.fusion.reranking.steps.dpp
import ranker.fusion.reranking.steps.fixed
import ranker.fusion.reranking.steps.mmr
import ranker.fusion.reranking.steps.quota
import ranker.fusion.reranking.steps.spread  # noqa: F401 - registers it
from ranker.fusion.reranking.base import STEPS, Step

if TYPE_CHECKING:
    AnyStep: TypeAlias = Step
else:  # a union of all registered kinds, so that a new kind needs no change here
    AnyStep = Annotated[reduce(operator.or_, STEPS.values()), Field(discriminator="kind")]
