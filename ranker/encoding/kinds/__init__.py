"""Feature kinds, one a file; the schema's features are a union of all that are registered here."""

from ranker.encoding.kinds.base import (
    FEATURE_KINDS,
    Block,
    CsvType,
    Encoding,
    FeatureKind,
    Fitter,
    FixedKind,
    Part,
    RequestType,
)
from ranker.encoding.kinds.categorical import Categorical
from ranker.encoding.kinds.dense import Dense
from ranker.encoding.kinds.multi import Multi
from ranker.encoding.kinds.numeric import Numeric
from ranker.encoding.kinds.sequence import Sequence

__all__ = [
    "FEATURE_KINDS",
    "Block",
    "Categorical",
    "CsvType",
    "Dense",
    "Encoding",
    "FeatureKind",
    "Fitter",
    "FixedKind",
    "Multi",
    "Numeric",
    "Part",
    "RequestType",
    "Sequence",
]
