"""Options of a prediction, whatever its input and output."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PredictOptions:
    """What is computed for each row, and which columns are copied.

    Attributes
    ----------
    rank_by
        Columns whose values name the list that a row belongs to; without them, rows are scored and not ranked.
    keep
        Further columns to copy unchanged; those in ``rank_by`` are always copied.
    fusion
        Name of a fusion, as in requests; by default the artifact's. Scores are calibrated as it says.
    calibrate
        Whether scores are calibrated, as those of ``POST /rank`` are.
    rules
        Whether the fusion's rules and re-ranking apply.
    top_k
        Number of rows to keep of each list; all by default.
    cascade
        ``False`` to score all rows with the full model; by default lists are ranked in two stages where the service
        does so. ``True`` requires a student.
    engine
        A name in :data:`ranker.engines.ENGINES`, or ``auto``.

    Raises
    ------
    ValueError
        For a ``top_k`` below 1, and for options of rankings without ``rank_by``.
    """

    rank_by: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    fusion: str | None = None
    calibrate: bool = True
    rules: bool = True
    top_k: int | None = None
    cascade: bool | None = None
    engine: str = "auto"

    def __post_init__(self) -> None:
        if self.top_k is not None and (isinstance(self.top_k, bool) or self.top_k < 1):
            raise ValueError(f"top_k: must be a whole number of at least 1, got {self.top_k!r}")
        of_lists = {"top_k": self.top_k is not None, "rules": not self.rules, "cascade": self.cascade is not None}
        for name, given in of_lists.items():
            if given and not self.rank_by:
                raise ValueError(f"{name}: applies to ranked lists; name the columns of a list with rank_by")
        for name in ("rank_by", "keep"):
            columns = getattr(self, name)
            for column in columns:
                if not column or columns.count(column) > 1:
                    raise ValueError(f"{name}: must be distinct names of columns, got {', '.join(columns)!r}")

    @property
    def copied(self) -> tuple[str, ...]:
        """Columns of the input that are in the output."""
        return tuple(dict.fromkeys([*self.rank_by, *self.keep]))
