"""Finds and reads the files of a log, and gives each column one type over all files.

Each format is a module that registers itself in ``FILE_FORMATS``; import a new one here.
"""

from training.data.files.csv import CsvPart
from training.data.files.parquet import ParquetPart
from training.data.files.part import FILE_FORMATS, FilePart

__all__ = ["FILE_FORMATS", "CsvPart", "FilePart", "ParquetPart"]
