"""An artifact in this process: scores and rankings of the service, without HTTP and without TensorFlow."""

from ranker.inference.model import InputError, Model
from ranker.inference.ranking import Explanations, Ranking

__all__ = ["Explanations", "InputError", "Model", "Ranking"]
