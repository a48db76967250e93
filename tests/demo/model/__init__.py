"""The stand-in of the Messages API."""
