"""Scores rows of files and tables with an artifact, and ranks lists of candidates, offline and without TensorFlow."""

from ranker.prediction.options import PredictOptions
from ranker.prediction.predictor import Predicted, Predictor

__all__ = ["PredictOptions", "Predicted", "Predictor"]
