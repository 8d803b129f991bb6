"""The service on a GPU, beside the CPU of the same machine and other services on the same GPU."""
