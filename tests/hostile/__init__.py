"""Hostile text and planted secrets: whatever a cluster says, nothing of it is done, approved, or posted live."""
