"""`python -m demo.slack`: the stand-in alone, for tests that need it in a process of its own and for work on the page.

Prints one line of JSON with its addresses and tokens, then runs until it is stopped.
"""

import argparse
import asyncio
import json
import signal
import sys

from demo.slack.standin import SlackStandIn


async def run(host: str, port: int, ack_seconds: float) -> None:
    """Serve until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    slack = await SlackStandIn(ack_seconds=ack_seconds).start(host, port)
    ready = {"url": slack.url, "api_url": slack.api_url, "bot_token": slack.bot_token, "app_token": slack.app_token}
    sys.stdout.write(json.dumps(ready | {"signing_secret": slack.signing_secret}) + "\n")
    sys.stdout.flush()
    await stop.wait()
    await slack.stop()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m demo.slack", description="A Slack stand-in.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8900)
    parser.add_argument("--ack-seconds", type=float, default=3.0)
    options = parser.parse_args()
    asyncio.run(run(options.host, options.port, options.ack_seconds))


if __name__ == "__main__":
    main()
