"""YAML files as closed, frozen models: every mistake is named by its line and path."""
