"""One module a command: the steps of each, with a display around them."""
