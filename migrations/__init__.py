"""Revisions of the schema, applied by `bot.store.schema`.

`python -m migrations check` compares them with `bot.store.tables`; `python -m migrations revision "what changes"`
writes the next one, to be reviewed by hand. Neither needs a database: both start one and throw it away.
"""
