"""Files of a log: finding them, reading each format, one type for each column over all of them.

A format is a file of its own that registers itself in ``FILE_FORMATS``; importing it here is what makes it known.
"""

from training.data.files.csv import CsvPart
from training.data.files.parquet import ParquetPart
from training.data.files.part import FILE_FORMATS, FilePart

__all__ = ["FILE_FORMATS", "CsvPart", "FilePart", "ParquetPart"]
