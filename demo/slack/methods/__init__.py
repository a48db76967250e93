"""Handlers of Slack's Web API methods, by family."""
