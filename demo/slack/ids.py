"""Fixed identifiers of the stand-in's workspace.

Tests, the demo and the web page name people and channels by these, so that a journal or a screenshot reads the same in
every run. The forms follow Slack's: a letter for the kind, then digits and capitals.
"""

TEAM_ID = "T0DEMO0001"
TEAM_NAME = "Harbour"
TEAM_DOMAIN = "harbour"
APP_ID = "A0WATCH001"
APP_NAME = "Watchkeeper"
BOT_ID = "B0WATCH001"
BOT_USER = "U0WATCH001"
SLACKBOT = "USLACKBOT"

ANA = "U0ANA0001"
BEN = "U0BEN0001"
CHLOE = "U0CHLOE01"

ONCALL = "C0ONCALL01"
PAYMENTS = "C0PAYMENTS"
GENERAL = "C0GENERAL1"

ONCALL_SRE = "S0ONCALL01"

BOT_TOKEN = "xoxb-0000000001-watchkeeper-demo"
APP_TOKEN = "xapp-1-A0WATCH001-0000000001-watchkeeper-demo"
SIGNING_SECRET = "5f0d2c7c9d1e4b6a8f3e2d1c0b9a8f7e"
VERIFICATION_TOKEN = "demoVerificationToken001"
