"""Imports what trainings need, in the process that theirs are forked from; see ``training.own_process``."""

from training.quiet_imports import TRAINING, import_quietly

import_quietly(TRAINING)
