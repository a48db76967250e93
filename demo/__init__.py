"""The demo: the bot as it is, against a Slack stand-in and a simulated cluster on this machine.

Nothing imports this package but its own entry point (`watchkeeper demo`) and the tests.
"""
