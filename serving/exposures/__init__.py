"""The exposure log: what answers showed, written by one thread to a folder of Parquet files or to a Redis stream."""
