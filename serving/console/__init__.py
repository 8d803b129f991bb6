"""The console: a page for holders of an admin key, and what it shows. Nothing here runs unless the page asks."""
