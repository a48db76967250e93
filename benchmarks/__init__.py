"""Measurements against the limits that the product promises. Run by `make bench`."""
