"""One request through the model: look-up, encoding, scoring, fusion, and who is scored when."""
