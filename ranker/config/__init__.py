"""YAML files -> closed, frozen models; every error names its line and path."""
