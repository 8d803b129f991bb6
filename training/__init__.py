"""The offline job: data, training, evaluation, export."""
