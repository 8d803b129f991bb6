"""The type of exploration in a config: one of all registered kinds."""

import operator
from functools import reduce
from typing import TYPE_CHECKING, Annotated, TypeAlias

from pydantic import Field

from ranker.fusion.exploration import EXPLORATIONS, Exploration

if TYPE_CHECKING:
    AnyExploration: TypeAlias = Exploration
else:  # a union of all registered kinds, so that a new kind needs no change here
    AnyExploration = Annotated[reduce(operator.or_, EXPLORATIONS.values()), Field(discriminator="kind")]
