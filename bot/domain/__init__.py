"""Pure values and state machines of the product. No I/O, no clock, no Slack, no SQL: ports say what is needed."""
