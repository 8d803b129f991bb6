"""What operators see of a service."""
