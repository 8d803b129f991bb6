"""CSV files; columns are read as text, empty fields as null. :mod:`~ranker.log_files.csv_values` converts them."""

import codecs
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pyarrow as pa
import pyarrow.csv

from ranker.config.csv_options import CsvOptions
from ranker.encoding.columns import shortened
from ranker.log_files.csv_facts import Facts, facts_of
from ranker.log_files.csv_types import Resolved
from ranker.log_files.csv_values import converted
from ranker.log_files.errors import DataError
from ranker.log_files.magic import check_decompressed, check_format
from ranker.log_files.parquet import CHUNK
from ranker.log_files.part import COMPRESSION, FILE_FORMATS, Batch, FilePart, without_compression
from ranker.remote_files import Location, input_stream

BLOCK = 8 << 20
SAMPLE = 1 << 20
_SEPARATORS = {";": "';'", "\t": "a tab", "|": "'|'"}
_SAID = {";": "';'", "\t": r'"\t"', "|": "'|'", ",": "','"}
_MARKS = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@FILE_FORMATS.register("csv")
class CsvPart(FilePart):
    """A CSV file, optionally compressed, streamed in chunks of rows."""

    kind = "CSV"
    endings = (".csv", ".tsv")
    compressed = True

    def __init__(self, path: Location, csv: CsvOptions | None = None) -> None:
        super().__init__(path, csv)
        self.options = csv or CsvOptions()
        self.separator = self.options.separator or (
            "\t" if without_compression(path.name.lower()).endswith(".tsv") else ","
        )
        self._bad_row: Any = None
        self._facts: dict[str, Facts] = {}
        self._columns = self._header()

    def own_columns(self) -> list[str]:
        """Names in the header."""
        return self._columns

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Stream columns as text."""
        self.check_unchanged()
        # Given no columns, PyArrow would read all of them and not report the number of rows.
        read = list(columns) or self._columns[:1]
        with self.naming_file(), self.opened(read) as reader:
            for whole in reader:
                for start in range(0, whole.num_rows, CHUNK):
                    batch = whole.slice(start, CHUNK)
                    yield batch.num_rows, {name: batch.column(name) for name in columns}

    def holds_text(self, column: str) -> bool:
        """All columns are text."""
        return super().holds_text(column) or column in self._columns

    def typed(self, array: Any, column: str, kind: Resolved) -> Any:
        """Convert text [N] to the kind. Raises ``ColumnError``."""
        facts = self._facts.get(column)
        proven = facts is not None and (facts.integer if kind == "integer" else facts.unsigned)
        return converted(array, column, kind, self.options.decimal, proven)

    def facts(self, columns: Sequence[str]) -> dict[str, Facts]:
        """Facts about all values of columns, from one read of the file."""
        new = [column for column in columns if column not in self._facts and self._columns.count(column) == 1]
        if new:
            with self.naming_file():
                self._facts |= facts_of(self, new)
        return {column: self._facts[column] for column in columns if column in self._facts}

    @contextmanager
    def opened(
        self, columns: Sequence[str], block: int = BLOCK, quoted: Sequence[str] | None = None, threads: bool = True
    ) -> Iterator[Any]:
        """Open a reader of columns as text. The values in ``quoted`` are read as null unless they are quoted.

        With ``threads`` it is faster, but bad rows have no line number.
        """
        options = self.options
        parse = pyarrow.csv.ParseOptions(
            delimiter=self.separator,
            quote_char=options.quote or False,
            newlines_in_values=options.quote is not None,
            invalid_row_handler=self._refuse,
        )
        convert = pyarrow.csv.ConvertOptions(
            column_types={column: pa.string() for column in columns},
            include_columns=list(columns),
            null_values=list(quoted) if quoted is not None else [""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=quoted is None,
        )
        read = pyarrow.csv.ReadOptions(block_size=block, encoding=options.encoding, use_threads=threads)
        with self._stream() as stream:
            yield pyarrow.csv.open_csv(stream, read_options=read, parse_options=parse, convert_options=convert)

    def told(self, error: Exception) -> str:
        """Describe what is wrong with the file."""
        text = str(error)
        if self._bad_row is not None:
            bad = self._first_bad_row()
            place = f"line {bad.number}" if bad.number is not None else "a line"
            return (
                f"{place} has {bad.actual_columns} field(s) and the header {bad.expected_columns}: "
                f"{shortened(bad.text)}"
            )
        if isinstance(error, UnicodeError) or "invalid UTF8" in text or "codec can't decode" in text:
            return (
                f"is not text in {self.options.encoding}; set the encoding in data.csv of the config, for example "
                "csv: {encoding: latin-1}"
            )
        if "straddling object" in text:
            return f"a row is longer than {BLOCK >> 20} MiB; is a closing quote missing?"
        return super().told(error)

    def hint(self) -> str:
        """Hint for a missing column."""
        return "; its first line must name the columns"

    def _header(self) -> list[str]:
        compression = self.path.suffix.lower() if self.path.suffix.lower() in COMPRESSION else None
        with self.naming_file():
            check_format(self.path, compression or ".csv")
            with self._stream() as stream:
                start = stream.read(SAMPLE)
            if compression is not None:
                check_decompressed(self.path, start)
            if not start.strip():
                raise DataError(f"{self.name}: is empty; a CSV file needs at least a header with column names")
            for mark, encoding in _MARKS:
                if start.startswith(mark) and self.options.encoding.lower().replace("_", "-") == "utf-8":
                    raise DataError(
                        f"{self.name}: is text in {encoding}; set data.csv in the config: csv: {{encoding: {encoding}}}"
                    )
            columns = self._first_row(start)
        if len(columns) == 1:
            for separator, shown in _SEPARATORS.items():
                if separator in columns[0] and separator != self.separator:
                    raise DataError(
                        f"{self.name}: its fields look separated by {shown}; set data.csv in the config: "
                        f"csv: {{separator: {_SAID[separator]}}}"
                    )
        return columns

    def _first_row(self, start: bytes) -> list[str]:
        """Names in the header, as PyArrow reads them."""
        text = codecs.getincrementaldecoder(self.options.encoding)().decode(start).removeprefix("\ufeff")
        parse = pyarrow.csv.ParseOptions(
            delimiter=self.separator, quote_char=self.options.quote or False, invalid_row_handler=lambda _: "skip",
            newlines_in_values=self.options.quote is not None,
        )  # fmt: skip
        read = pyarrow.csv.ReadOptions(block_size=2 * SAMPLE, use_threads=False)
        encoded = pa.BufferReader(text.encode())
        with pyarrow.csv.open_csv(encoded, read_options=read, parse_options=parse) as reader:
            return list(reader.schema.names)

    @contextmanager
    def _stream(self) -> Iterator[Any]:
        compression = COMPRESSION.get(self.path.suffix.lower())
        with input_stream(self.path, compression) as stream:
            yield stream

    def _first_bad_row(self) -> Any:
        """The bad row with its line number, found by reading the file again in one thread."""
        with (
            suppress(pa.ArrowException, OSError, UnicodeError),
            self.opened(self._columns[:1], threads=False) as reader,
        ):
            for _ in reader:
                pass
        bad, self._bad_row = self._bad_row, None
        return bad

    def _refuse(self, row: Any) -> str:
        self._bad_row = row
        return "error"
