"""In-process inference: the service's scores and rankings, without HTTP and TensorFlow."""

from ranker.inference.model import InputError, Model
from ranker.inference.ranking import Explanations, Ranking

__all__ = ["Explanations", "InputError", "Model", "Ranking"]
