"""Between a socket and the service: connections, heads and bodies, each within bounds."""
