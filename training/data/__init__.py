"""How the files of a log are found and read; :mod:`training.data.log_reader` puts them together."""
