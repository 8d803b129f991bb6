"""How the files of a log are found and read; :mod:`training.log` puts them together."""
