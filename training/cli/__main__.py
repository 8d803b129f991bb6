"""``python -m training.cli`` is ``ranker-train``."""

from training.cli import app

app()
