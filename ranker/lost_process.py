"""What a process raises and ends with when another one that it works with is gone."""

LOST = 75
"""Exit status: EX_TEMPFAIL of sysexits.h. Nothing is to be fixed here: the same command goes on."""


class LostProcessError(RuntimeError):
    """Another process has ended or cannot be reached, so this one cannot go on; started again, all go on."""
