"""Evidence behind one port: what a cluster tells about a problem, collected, redacted, numbered and capped."""
