"""The stages, one gerund a module. They do not know each other; only `bot.pipeline` chains them.

Every stage takes values and ports, commits its state together with the audit events that tell it, and asks for the view
to catch up. None of them does I/O but through `bot.domain.ports`.
"""
