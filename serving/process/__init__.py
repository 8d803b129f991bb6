"""Worker processes: one supervisor, which starts, watches and replaces them, and the folder that they share."""
