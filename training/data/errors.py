"""The error of a log that cannot be used."""


class DataError(ValueError):
    """A log that cannot be used; its text names the file, and the column, row and value where there are any."""
