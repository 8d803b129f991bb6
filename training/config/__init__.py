"""What a run is told: the YAML file of an experiment, section by section."""
