"""`watchkeeper demo` (= `python -m demo`): everything on this machine, nothing to set up, nothing left behind.

Starts the Slack stand-in and the simulated cluster in this process, and the bot, unchanged, as a child process that
reaches both through ordinary settings. Ctrl-C ends all of it; its data folder is temporary.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from demo import slack
from demo.cluster import SimulatedCluster

PORT = 8900
SPEED = 4.0
"""Simulated minutes pass this much faster: a rollout is watched, not waited for."""
READY_SECONDS = 60.0
STOP_SECONDS = 15.0
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "PYTHONPATH")
"""Of the caller's environment. Its WATCHKEEPER_… and DATABASE_URL must not lead the demo to a real workspace."""
_OF_THE_MODEL = tuple(
    f"WATCHKEEPER_{name}" for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "MODEL", "MODEL_SMALL", "BUDGET_DAY")
)
"""Kept too, where a key is given by this very name: a plain ANTHROPIC_API_KEY is somebody's for something else."""


@dataclass(frozen=True, slots=True)
class Options:
    port: int = PORT
    speed: float = SPEED
    kubeconfig: Path | None = None
    """Watch this real cluster instead of the simulated one."""
    context: str | None = None
    verbose: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the demo until ctrl-C. Exit code 0, or 2 where it could not start or the bot ended by itself."""
    try:
        return asyncio.run(run(_options(sys.argv[1:] if argv is None else argv)))
    except KeyboardInterrupt:
        return 0


def _options(argv: Sequence[str]) -> Options:
    parser = argparse.ArgumentParser(
        prog="watchkeeper demo",
        description="Watchkeeper with a Slack stand-in and a simulated cluster, on this machine.",
    )
    parser.add_argument("--port", type=int, default=PORT, help=f"port of the web page (default {PORT}; 0: any)")
    parser.add_argument("--speed", type=float, default=SPEED, help=f"speed of simulated time (default {SPEED:g})")
    parser.add_argument(
        "--kubeconfig", type=Path, metavar="F", help="watch a real cluster instead of the simulated one"
    )
    parser.add_argument("--context", metavar="C", help="context of that kubeconfig (default: its current one)")
    parser.add_argument("-v", "--verbose", action="store_true", help="show the bot's log")
    given = parser.parse_args(list(argv))
    return Options(given.port, given.speed, given.kubeconfig, given.context, given.verbose)


async def run(options: Options) -> int:
    """Starts all, tells the address, waits for ctrl-C or for the bot to end, stops all."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        if options.kubeconfig is not None and (fault := _fault_of(options.kubeconfig)):
            _complain(f"--kubeconfig: {fault}")
            return 2
        workspace = slack.SlackStandIn()
        stack.push_async_callback(workspace.stop)
        try:
            await workspace.start(port=options.port)
        except (OSError, OverflowError) as error:  # asyncio's answer to a number that is no port
            why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
            _complain(f"port {options.port} cannot be used ({why}); try another one, or --port 0 for any that is free")
            return 2
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="watchkeeper-demo-")))
        cluster = await _cluster(options, folder, stack)
        bot = await _start_bot({**_surroundings(), **settings_of(options, workspace, cluster, folder)})
        stack.push_async_callback(_end, bot)
        return await _watch(bot, workspace, stop)


def _fault_of(kubeconfig: Path) -> str:
    """Why this file cannot be read, in words; empty where it can."""
    try:
        with kubeconfig.open("rb"):
            return ""
    except OSError as error:
        return f"{kubeconfig} cannot be read ({error.strerror})"


async def _cluster(options: Options, folder: Path, stack: contextlib.AsyncExitStack) -> Mapping[str, str]:
    """The settings that lead to the cluster; starts the simulated one unless a real one is named."""
    if options.kubeconfig is not None:
        real = {"WATCHKEEPER_KUBECONFIG": str(options.kubeconfig)}
        return real if options.context is None else {**real, "WATCHKEEPER_CONTEXTS": options.context}
    simulated = SimulatedCluster("demo", speed=options.speed)
    await simulated.start()
    stack.push_async_callback(simulated.stop)
    return {
        "WATCHKEEPER_KUBECONFIG": str(simulated.write_kubeconfig(folder / "kubeconfig")),
        "WATCHKEEPER_CONTEXTS": "demo",
        "WATCHKEEPER_WRITER_USER": "writer",
        "WATCHKEEPER_VERIFY_HOLD": "5s",
        "WATCHKEEPER_VERIFY_HOLD_RELAPSING": "5s",
        "WATCHKEEPER_VERIFY_TIMEOUT": "30s",
    }


def settings_of(
    options: Options, workspace: slack.SlackStandIn, cluster: Mapping[str, str], folder: Path
) -> dict[str, str]:
    """The bot's settings: ordinary ones, as a real workspace and cluster would have them."""
    return {
        "WATCHKEEPER_SLACK_API_URL": workspace.api_url,
        "WATCHKEEPER_SLACK_BOT_TOKEN": workspace.bot_token,
        "WATCHKEEPER_SLACK_APP_TOKEN": workspace.app_token,
        "WATCHKEEPER_DATA_DIR": str(folder / "data"),
        "WATCHKEEPER_DEFAULT_CHANNEL": slack.ONCALL,
        "WATCHKEEPER_APPROVERS": f"{slack.ANA},{slack.BEN}",
        "WATCHKEEPER_SWEEP_SCHEDULE": "* * * * *",
        "WATCHKEEPER_COALESCE": "2s",
        "WATCHKEEPER_LEASE": "12s",
        "WATCHKEEPER_LISTEN_PORT": "0",
        "WATCHKEEPER_LOG_LEVEL": "INFO" if options.verbose else "ERROR",
        **cluster,
    }


def _surroundings() -> dict[str, str]:
    kept = (*_KEPT, *_OF_THE_MODEL) if _OF_THE_MODEL[0] in os.environ else _KEPT
    return {name: os.environ[name] for name in kept if name in os.environ}


async def _start_bot(environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    """In a process group of its own: ctrl-C in the terminal reaches this process, which then ends the bot in order."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "serve", env=dict(environment), start_new_session=True
    )


async def _watch(bot: asyncio.subprocess.Process, workspace: slack.SlackStandIn, stop: asyncio.Event) -> int:
    stopping = asyncio.create_task(stop.wait())
    ended = asyncio.create_task(bot.wait())
    ready = asyncio.create_task(workspace.wait_connected(within=READY_SECONDS))
    try:
        await asyncio.wait([stopping, ended, ready], return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set() and not ended.done():
            _say(f"Watchkeeper demo: open {workspace.url}  (ctrl-C ends everything)")
            await asyncio.wait([stopping, ended], return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            return 0
        _complain("the bot ended; what it said is above, and --verbose shows its whole log")
        return 2
    finally:
        for task in (stopping, ended, ready):
            task.cancel()
        await asyncio.gather(stopping, ended, ready, return_exceptions=True)


async def _end(bot: asyncio.subprocess.Process) -> None:
    """Asks it to stop, and makes it where it does not."""
    if bot.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        bot.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await bot.wait()
    except TimeoutError:
        bot.kill()
        await bot.wait()


def _say(line: str) -> None:
    print(line, flush=True)


def _complain(words: str) -> None:
    print(f"watchkeeper demo: {words}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
