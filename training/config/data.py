"""The config's ``data``: the log, and how its rows are divided into those to train and those to validate on."""

import re
from datetime import date, datetime
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, field_validator, model_validator

from ranker.config.closed import Closed
from ranker.config.csv_options import CsvOptions


class SplitByTime(Closed):
    """Hold out the latest rows."""

    by: Literal["time"]
    column: str = Field(description="A column that increases with time: timestamps, dates, numbers, or text of these.")
    fraction: float | None = Field(None, gt=0, lt=1, description="Fraction of rows to hold out.")
    last: int | None = Field(None, ge=1, description="Hold out the last N distinct values, e.g. the last N days.")
    start: int | float | datetime | date | str | None = Field(
        None, description="Hold out rows from this value on; dates and times without a time zone are UTC."
    )
    unit: Literal["hour", "day", "week"] | None = Field(
        None, description="With `last`: count UTC hours, days or weeks (from Monday) instead of distinct values."
    )
    format: str | None = Field(None, description="Date format, as in Python's strptime, if not ISO: `%m/%d/%Y`.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(way is not None for way in (self.fraction, self.last, self.start)) != 1:
            raise ValueError("name exactly one of fraction, last and start")
        if self.unit is not None and self.last is None:
            raise ValueError("unit: is the unit of `last`, which is not set")
        return self

    @field_validator("format")
    @classmethod
    def _check_format(cls, value: str | None) -> str | None:
        if value is not None:
            if "%" not in value:
                raise ValueError(f"must have directives such as %Y, got {value!r}")
            try:
                datetime.strptime("", value)
            except (ValueError, re.error) as error:
                if "does not match" not in str(error):
                    raise ValueError(f"{error}, got {value!r}") from None
            if not set("YyGxc") & set(re.findall(r"%(.)", value.replace("%%", ""))):
                raise ValueError(f"must include the year, such as %Y, so that dates can be ordered; got {value!r}")
        return value


class SplitAtRandom(Closed):
    """Hold out rows by a hash of their position and the seed."""

    by: Literal["random"]
    fraction: float = Field(gt=0, lt=1, description="Fraction of rows to hold out.")


class SplitByGroup(Closed):
    """Hold out whole groups of rows, for example all rows of a list or user."""

    by: Literal["group"]
    column: str = Field(description="Group column: a request, search, session or user id.")
    fraction: float = Field(gt=0, lt=1, description="Fraction of groups to hold out, by a hash of value and seed.")


class SplitByFiles(Closed):
    """Use separate files as the validation set."""

    by: Literal["files"]
    paths: tuple[str, ...] = Field(min_length=1, description="Files, folders or globs to validate on.")


SplitRule: TypeAlias = Annotated[SplitByTime | SplitAtRandom | SplitByGroup | SplitByFiles, Field(discriminator="by")]


class Data(Closed):
    """The log and how it is split."""

    paths: tuple[str, ...] = Field((), description="Files, folders or globs; --data overrides them.")
    split: SplitRule
    csv: CsvOptions = Field(CsvOptions(), description="Format of CSV files.")
