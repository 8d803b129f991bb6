"""The exposure log: one row for each candidate of an answered request, written by the service and read by training.

``columns`` names its columns, which are the contract between the two.
"""

from ranker.exposures.files import ExposureFile, exposure_files, newest_files, open_files
from ranker.exposures.finish import Finished, recover
from ranker.exposures.reading import ExposureError, facts, read_file, read_log, request_starts, write_exposures
from ranker.exposures.schema import log_schema
from ranker.exposures.units import hashed_unit

__all__ = [
    "ExposureError",
    "ExposureFile",
    "Finished",
    "exposure_files",
    "facts",
    "hashed_unit",
    "log_schema",
    "newest_files",
    "open_files",
    "read_file",
    "read_log",
    "recover",
    "request_starts",
    "write_exposures",
]
