"""A Slack stand-in: Slack's Web API, Socket Mode and signed HTTP on a local port, and a web page that works like Slack.

For `make demo`, where people act through the page, and for the tests, where the Python API below acts as people. The
bot runs against it unchanged: WATCHKEEPER_SLACK_API_URL is `api_url`, the tokens are `bot_token` and `app_token`.

    async with SlackStandIn() as slack:                       # or start(host, port) and stop()
        …start the bot with slack.api_url, slack.bot_token, slack.app_token…
        await slack.wait_connected()                          # its Socket Mode connection; count=2 for two replicas
        seen = await slack.command(ANA, ONCALL, "/watch", "status")
        note = await seen.ephemeral()                         # waits for what only Ana sees
        message = await slack.wait_message(ONCALL, "crash-looping")
        seen = await slack.press(ANA, ONCALL, message["ts"], "approve")
        seen.ack.ok, seen.error                               # error is Slack's own: "This app did not respond."
        view = await seen.modal()                             # waits for the modal that the press opened
        seen = await slack.submit_view(ANA, view["id"], {"reason": "rollback is safe"})
        seen.errors                                           # inline errors by block_id

People: `press`, `press_concurrently`, `forge` (a button that is not shown), `command`, `say`, `open_home`,
`press_home`, `press_view`, `submit_view`, `close_view`, `delete_message`. What is there: `messages`, `replies`,
`message`, `ephemerals`, `view`, `home`, `file_content`, `wait_for`, `wait_message`. What goes wrong: `faults.ratelimit
/ http_error / api_error / delay / drop_request / drop_response`, `archive`, `set_bot_member`, `drop_sockets`,
`request_disconnect`, `redeliver`. What the app did: `journal.calls("chat.postMessage")`; what it was sent:
`deliveries`. `use_http(url)` delivers by signed HTTP.

The same over HTTP, for tests whose stand-in runs in another process: see `demo.slack.control`.
"""

from demo.slack.errors import SlackError
from demo.slack.faults import ApiCall
from demo.slack.ids import (
    ANA,
    APP_TOKEN,
    BEN,
    BOT_ID,
    BOT_TOKEN,
    BOT_USER,
    CHLOE,
    GENERAL,
    ONCALL,
    ONCALL_SRE,
    PAYMENTS,
    SIGNING_SECRET,
    TEAM_ID,
)
from demo.slack.interactions import NotShown, Seen
from demo.slack.standin import SlackStandIn

__all__ = [
    "ANA",
    "APP_TOKEN",
    "BEN",
    "BOT_ID",
    "BOT_TOKEN",
    "BOT_USER",
    "CHLOE",
    "GENERAL",
    "ONCALL",
    "ONCALL_SRE",
    "PAYMENTS",
    "SIGNING_SECRET",
    "TEAM_ID",
    "ApiCall",
    "NotShown",
    "Seen",
    "SlackError",
    "SlackStandIn",
]
