"""The model: its client, its prompts, its tools, and what of its answers stands."""
