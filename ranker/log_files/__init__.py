"""Finds and reads the files of a log, and gives each column one type over all files, without TensorFlow and pandas.

:mod:`ranker.log_files.log_reader` is the entry point.

Each format is a module that registers itself in ``FILE_FORMATS``; import a new one here.
"""

from ranker.log_files.csv import CsvPart
from ranker.log_files.parquet import ParquetPart
from ranker.log_files.part import FILE_FORMATS, FilePart

__all__ = ["FILE_FORMATS", "CsvPart", "FilePart", "ParquetPart"]
