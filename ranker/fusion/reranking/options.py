"""The type of a step in a config: one of all registered kinds."""

import operator
from functools import reduce
from typing import TYPE_CHECKING, Annotated, TypeAlias

from pydantic import Field

from ranker.fusion.reranking import STEPS, Step

if TYPE_CHECKING:
    AnyStep: TypeAlias = Step
else:  # a union of all registered kinds, so that a new kind needs no change here
    AnyStep = Annotated[reduce(operator.or_, STEPS.values()), Field(discriminator="kind")]
