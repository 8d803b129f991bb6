"""Files of a log: finding them, reading Parquet and CSV, one type for each column over all of them."""
