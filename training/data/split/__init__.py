"""Which rows are held out for validation: by time, by group, at random or by file."""
