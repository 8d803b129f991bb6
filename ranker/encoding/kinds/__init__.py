"""Feature kinds, one per file; to add one, add a file and a line here. The schema takes a union of all kinds."""

from ranker.encoding.kinds.base import FEATURE_KINDS as FEATURE_KINDS
from ranker.encoding.kinds.base import FeatureKind as FeatureKind
from ranker.encoding.kinds.base import RequestType as RequestType
from ranker.encoding.kinds.categorical import Categorical as Categorical
from ranker.encoding.kinds.dense import Dense as Dense
from ranker.encoding.kinds.multi import Multi as Multi
from ranker.encoding.kinds.numeric import Numeric as Numeric
from ranker.encoding.kinds.sequence import Sequence as Sequence
