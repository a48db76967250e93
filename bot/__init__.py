"""The product: incidents, diagnoses, proposals, approvals and their record, and the Slack view of them."""
