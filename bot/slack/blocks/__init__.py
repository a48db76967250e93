"""The only Block Kit of the product. Pure: a read model in, a message or a view out; nothing here knows the time."""
