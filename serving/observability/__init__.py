"""What operators can read about the service."""
