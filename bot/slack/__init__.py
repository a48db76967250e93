"""Slack: `ids` (what buttons carry), `blocks` (pure rendering), `publisher` (the only caller of Slack's Web API)."""
