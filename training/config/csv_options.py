"""How CSV files are written, as ``data.csv`` of a config says."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from ranker.config.closed import Closed


class CsvOptions(Closed):
    """How CSV files are written."""

    separator: str | None = Field(
        None, description="Between the fields of a row; by default a comma, and a tab in .tsv files."
    )
    quote: str | None = Field('"', description="Around fields that hold separators; null: none is special.")
    encoding: str = Field("utf-8", description="Of the text: utf-8, utf-16, latin-1, cp1252 or another of Python's.")
    decimal: Literal[".", ","] = Field(".", description="Before the fraction of a number.")

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
            "a".encode(value)  # refuses codecs that are not of text, too, such as zlib
        except (LookupError, ValueError):
            raise ValueError(f"{value!r} is no encoding; for example utf-8, utf-16, latin-1 or cp1252") from None
        return value

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if self.separator is not None and self.separator in (self.quote, self.decimal):
            raise ValueError(f"separator: {self.separator!r} is also the quote or the decimal mark")
        return self
