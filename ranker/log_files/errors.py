"""The error raised for unusable logs."""


class DataError(ValueError):
    """The log cannot be used; the message names the file and, if applicable, the column, row and value."""
