"""Knows clusters only: reading them, finding what is broken, and the few remedies that may be applied.

Nothing here has heard of Slack, incidents, a database or a model. `bot` is the only caller.
"""
