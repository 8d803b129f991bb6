"""The HTTP layer: connections, request heads and bodies within limits, keys, admission, and routes."""
