"""Where the API lies."""

PREFIX = "/api/v1"
"""In every router's own prefix: a router within the app would be matched anew at each request."""
