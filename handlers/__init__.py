"""The doors: what comes in from Slack, from schedules and from probes. Each parses, calls the pipeline once, renders.

No module here knows another, a database, a cluster or a model. `bot.main` registers them all.
"""
