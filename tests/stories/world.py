"""A whole world for stories: Slack's stand-in, a cluster, a database, and bots as real processes.

The cluster is a simulated one that the story broke beforehand (`begin`), or the ground that it is told on (`tell`). The
bots are started as people start them (`python -m bot serve`) and reached through ordinary settings, so a story may
kill one at any moment, as a node would.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import asyncpg

from demo import slack
from demo.cluster import SimulatedCluster
from demo.cluster.faults import Fault
from demo.cluster.pieces import Piece

SPEED = 20.0
LEASE = 5.0
"""Seconds: the shortest that the settings allow."""
READY = 60.0
"""Seconds that a bot has to be connected: a busy machine takes long to import it."""
SETTLED = 60.0

Message = dict[str, Any]


class Bot:
    """One replica: a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self.log = log

    def kill(self) -> None:
        """As `kill -9`: it can neither finish nor tidy anything."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    async def stop(self) -> int:
        """As a rolling restart would. Returns its exit code."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGCONT)
                self.process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(20):
                    await self.process.wait()
            except TimeoutError:
                self.kill()
        return await self.process.wait()


class World:
    """What a story is told in. Made by the fixtures `begin` and `tell`."""

    def __init__(
        self,
        workspace: slack.SlackStandIn,
        cluster: SimulatedCluster | Mapping[str, str],
        database_url: str,
        folder: Path,
        *,
        patience: float = 1.0,
    ) -> None:
        """`cluster`: a simulated one, or the settings (without their prefix) by which bots reach another.

        All waits below are `patience` times as long as they say.
        """
        self.slack = workspace
        self.database_url = database_url
        self.patience = patience
        self._folder = folder
        self._bots: list[Bot] = []
        self._cluster = cluster if isinstance(cluster, SimulatedCluster) else None
        if isinstance(cluster, SimulatedCluster):
            kubeconfig = cluster.write_kubeconfig(folder / "kubeconfig")  # once: a bot that runs may be reading it
            cluster = {"KUBECONFIG": str(kubeconfig), "CONTEXTS": "demo", "WRITER_USER": "writer"}
        self._settings = dict(cluster)

    @property
    def cluster(self) -> SimulatedCluster:
        """Of a world that `begin` made. A story on a ground asks the ground."""
        assert self._cluster is not None, "this world is told on a ground: ask the ground"
        return self._cluster

    async def start_bot(self, *, wait: bool = True, **settings: str) -> Bot:
        """A replica, connected unless told otherwise. `settings`: more of them, without their prefix."""
        number = len(self._bots)
        log = self._folder / f"bot-{number}.log"
        environment = self.environment(**settings)
        with log.open("wb") as stream:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot", "serve", env=environment, stdout=stream, stderr=stream
            )
        bot = Bot(process, log)
        self._bots.append(bot)
        if wait:
            await self._connected()
        return bot

    async def _connected(self) -> None:
        alive = sum(one.process.returncode is None for one in self._bots)
        try:
            await self.slack.wait_connected(count=alive, within=READY * self.patience)
        except TimeoutError:
            raise AssertionError(
                f"the bot is not connected within {READY * self.patience:g} s\n{self.tale()}"
            ) from None

    def environment(self, **settings: str) -> dict[str, str]:
        """What a bot of this world is started with. `settings`: more of them, without their prefix."""
        given = self._settings | settings
        return self._environment() | {f"WATCHKEEPER_{name}": value for name, value in given.items()}

    def _environment(self) -> dict[str, str]:
        passed = ("PATH", "PYTHONPATH", "HOME", "LANG", "TMPDIR")
        kept = {name: os.environ[name] for name in passed if name in os.environ}
        return kept | {
            "PYTHONWARNINGS": "default",
            "WATCHKEEPER_SLACK_API_URL": self.slack.api_url,
            "WATCHKEEPER_SLACK_BOT_TOKEN": self.slack.bot_token,
            "WATCHKEEPER_SLACK_APP_TOKEN": self.slack.app_token,
            "WATCHKEEPER_DATABASE_URL": self.database_url,
            "WATCHKEEPER_DATA_DIR": str(self._folder / "data"),
            "WATCHKEEPER_DEFAULT_CHANNEL": slack.ONCALL,
            "WATCHKEEPER_APPROVERS": f"{slack.ANA},{slack.BEN}",
            "WATCHKEEPER_SWEEP_SCHEDULE": "* * * * *",
            "WATCHKEEPER_COALESCE": "1s",
            "WATCHKEEPER_LEASE": f"{LEASE:g}s",
            "WATCHKEEPER_VERIFY_HOLD": "1s",
            "WATCHKEEPER_VERIFY_HOLD_RELAPSING": "1s",
            "WATCHKEEPER_VERIFY_TIMEOUT": f"{40 * self.patience:g}s",
            "WATCHKEEPER_LISTEN_PORT": "0",
            "WATCHKEEPER_LOG_LEVEL": "INFO",
        }

    async def end(self) -> None:
        """Ends every bot that still runs."""
        if self._cluster is not None:
            self._cluster.faults.clear()
        for bot in self._bots:
            await bot.stop()

    # --- what is there ----------------------------------------------------------------------------------------------

    def parents(self, containing: str = "") -> list[Message]:
        """Parent messages of incidents in #oncall that show this text."""
        found = [
            one
            for one in self.slack.messages(slack.ONCALL)
            if not one.get("thread_ts") or one["thread_ts"] == one["ts"]
        ]
        return [one for one in found if containing in text_of(one)]

    async def parent(self, containing: str, within: float = READY) -> Message:
        """The parent message that shows this text, when it is there."""
        found: Message = await self.eventually(lambda: next(iter(self.parents(containing)), None), within, containing)
        return found

    async def proposed(self, containing: str) -> Message:
        """The parent message of an incident whose proposal can be approved."""

        def ready() -> Message | None:
            return next((one for one in self.parents(containing) if button(one, "wk:approve")), None)

        found: Message = await self.eventually(ready, READY, f"{containing} with an Approve button")
        return found

    async def diagnosed(self, parent: Message) -> None:
        """Waits until the parent cites evidence."""
        await self.eventually(lambda: "[E" in self.now(parent), what="a diagnosis")

    def thread(self, parent: Message) -> str:
        """All replies below a parent, as text."""
        return "\n".join(text_of(one) for one in self.slack.replies(slack.ONCALL, parent["ts"]))

    def shown(self, parent: Message) -> Message:
        """The parent as it is now."""
        found: Message = self.slack.message(slack.ONCALL, parent["ts"])
        return found

    def now(self, parent: Message) -> str:
        """The parent as it is shown now, as text."""
        return text_of(self.shown(parent))

    async def eventually(self, found: Callable[[], Any], within: float = SETTLED, what: str = "") -> Any:
        """What `found` returns as soon as it is true; fails with what the bots logged."""
        try:
            async with asyncio.timeout(within * self.patience):
                while not (answer := found()):  # noqa: ASYNC110 - the world is polled as a person would look
                    await asyncio.sleep(0.05)
                return answer
        except TimeoutError:
            raise AssertionError(f"not within {within * self.patience:g} s: {what}\n{self.tale()}") from None

    async def eventually_row(self, query: str, *values: object, within: float = SETTLED) -> Any:
        """The first value of a query as soon as there is one that is true."""
        answer: Any = None
        try:
            async with asyncio.timeout(within * self.patience):
                while not (answer := await self.value(query, *values)):  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"not within {within * self.patience:g} s: {query}\n{self.tale()}") from None
        return answer

    async def value(self, query: str, *values: object) -> Any:
        connection = await asyncpg.connect(self.database_url)
        try:
            return await connection.fetchval(query, *values)
        finally:
            await connection.close()

    async def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        connection = await asyncpg.connect(self.database_url)
        try:
            return [dict(row) for row in await connection.fetch(query, *values)]
        finally:
            await connection.close()

    @contextlib.asynccontextmanager
    async def fault(self, **what: Any) -> AsyncIterator[Fault]:
        """The cluster misbehaves meanwhile."""
        added = self.cluster.faults.add(Fault(**what))
        try:
            yield added
        finally:
            with contextlib.suppress(ValueError):
                self.cluster.faults.active.remove(added)

    def tale(self) -> str:
        """What is shown in Slack and what the bots logged: for a story that did not end well."""
        shown = "\n---\n".join(text_of(one) for one in self.slack.messages(slack.ONCALL))
        logs = "\n".join(f"== {bot.log.name}\n{bot.log.read_text()[-4000:]}" for bot in self._bots)
        return f"== #oncall\n{shown}\n{logs}"


Start = Callable[[Iterable[Piece]], Awaitable[World]]


class Tell(Protocol):
    """The fixture `tell`."""

    def __call__(self, **settings: str) -> Awaitable[World]:
        """A world on the story's ground with one bot started. `settings` (without prefix) hold for all its bots."""


def text_of(message: Message) -> str:
    """All that a person reads of a message: its texts and its buttons' labels."""
    return "\n".join(_texts([*message.get("blocks", ()), *message.get("attachments", ())])) or message.get("text", "")


def _texts(part: Any) -> list[str]:
    if isinstance(part, list):
        return [text for one in part for text in _texts(one)]
    if not isinstance(part, dict):
        return []
    own = [part["text"]] if isinstance(part.get("text"), str) else []
    return own + [text for key, one in part.items() if key not in {"fallback", "metadata"} for text in _texts(one)]


def buttons(message: Message) -> dict[str, dict[str, Any]]:
    """Action id → button, of all that a message shows."""
    found: dict[str, dict[str, Any]] = {}

    def walk(part: Any) -> None:
        if isinstance(part, list):
            for one in part:
                walk(one)
        elif isinstance(part, dict):
            if part.get("type") == "button":
                found[part["action_id"]] = part
            for one in part.values():
                walk(one)

    walk([message.get("blocks"), message.get("attachments")])
    return found


def button(message: Message, action_id: str) -> dict[str, Any] | None:
    return buttons(message).get(action_id)


def value(message: Message, action_id: str) -> str:
    """What a button carries; fails where it is not shown."""
    shown = buttons(message)
    assert action_id in shown, f"{action_id} is not among {sorted(shown)}"
    return str(shown[action_id]["value"])


def colour(message: Message) -> str:
    """The colour of its bar, which is its state."""
    return str((message.get("attachments") or [{}])[0].get("color", "")).lstrip("#")
