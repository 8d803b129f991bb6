"""CSV format of a log: the config's ``data.csv``."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from ranker.config.closed import Closed


class CsvOptions(Closed):
    """Format of CSV files."""

    separator: str | None = Field(None, description="Field separator; by default a comma, or a tab in .tsv files.")
    quote: str | None = Field('"', description="Quote character of fields that contain separators; null: none.")
    encoding: str = Field("utf-8", description="Encoding of the text: utf-8, utf-16, latin-1, cp1252, ...")
    decimal: Literal[".", ","] = Field(".", description="Decimal mark of numbers.")

    @field_validator("separator", "quote", mode="before")
    @classmethod
    def _one_character(cls, value: object) -> object:
        if isinstance(value, str) and len(value) != 1:
            hint = '; in YAML a tab is "\\t" in double quotes' if value.lower() in ("\\t", "tab") else ""
            raise ValueError(f"must be one character, got {value!r:.200}{hint}")
        return value

    @field_validator("separator", "quote")
    @classmethod
    def _one_byte(cls, value: str | None) -> str | None:
        if value is not None and (not value.isascii() or value in "\r\n"):
            raise ValueError(f"must be an ASCII character other than a line break, got {value!r}")
        return value

    @field_validator("encoding")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            "a".encode(value)  # also rejects non-text codecs such as zlib
        except (LookupError, ValueError):
            raise ValueError(f"{value!r} is not a known encoding; use e.g. utf-8, utf-16, latin-1 or cp1252") from None
        return value

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if self.separator is not None and self.separator in (self.quote, self.decimal):
            raise ValueError(f"separator: {self.separator!r} is also the quote or the decimal mark")
        return self
