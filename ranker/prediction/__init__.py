"""Scores rows of files and tables with an artifact, and ranks lists of candidates, offline and without TensorFlow.

It imports nothing, since both programs import the command: start at :class:`ranker.prediction.predictor.Predictor`.
"""
