"""The composition root: makes the real parts of the settings, wires them, runs them, and ends them in order.

`bot.__main__` calls `serve`, `look_once` and `migrate`; nothing imports this module but that one. Here,
and nowhere else, the executor is handed out, and only where the settings are not read-only.
"""

import asyncio
import contextlib
import gc
import importlib.metadata
import os
import secrets
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import structlog
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.app.async_app import AsyncApp

from bot import clusters, doors, errors, following, parts, pipeline, settings, telemetry, telling
from bot.domain import approvals, looks, ports, watches
from bot.evidence import collecting, past, runbooks
from bot.llm import absent
from bot.slack import calling, connecting, installing, membership, publisher
from bot.store import engine
from handlers import asking, buttons, commands, health, home, mentions, modals, schedules
from handlers import runbooks as runbook_forms
from k8s import executor, model
from k8s.client import connection
from k8s.client import errors as cluster_errors
from k8s.client import reader as reading

_LOG = structlog.get_logger(__name__)

IDLE_SECONDS = 1.0
"""How soon a worker looks again by itself: another replica's bell is not heard here."""
BACKOFF_SECONDS = (1.0, 2.0, 5.0, 10.0, 15.0)
"""Between tries of what is away; the last one again and again."""
MEMBERS_SECONDS = 2.0
"""How often a look is taken at which members are to be read again."""
VERIFIERS = 1
EXECUTORS = 2
DIAGNOSERS = 2
ANSWERERS = 2
RUNBOOKS_SECONDS = 60.0
"""How often runbooks in a folder and a ConfigMap are read again."""
ADVISERS = 2
"""Questions to a model that one replica has under way at a time: an answer takes a minute."""


def clock() -> datetime:
    """Now. The one clock of the product."""
    return datetime.now(UTC)


class Hands:
    """The executors of all clusters, with their own, writing connections. Not made at all in read-only mode."""

    def __init__(self, chosen: settings.Settings, accesses: Sequence[connection.ClusterAccess]) -> None:
        self._chosen = chosen
        self._accesses = {access.name: access for access in accesses}
        self._connections: dict[str, connection.Connection] = {}
        self._hands: dict[str, ports.Hand] = {}

    async def open(self) -> None:
        """Those that are not open yet. Raises ClusterUnavailable where one has no credentials now."""
        for name, access in self._accesses.items():
            if name in self._hands:
                continue
            try:
                opened = await connection.Connection.open(parts.writer_access(self._chosen, access))
            except cluster_errors.ClusterError as error:
                raise errors.ClusterUnavailable(f"the writing identity of {name} cannot be used: {error}") from error
            self._connections[name] = opened
            hand = executor.Executor.over(reading.Reader(opened, now=clock), opened, self._chosen.identities)
            self._hands[name] = clusters.GuardedHand(hand)

    def of(self, cluster: str) -> ports.Hand | None:
        return self._hands.get(cluster)

    async def close(self) -> None:
        for opened in self._connections.values():
            await opened.close()


def _version() -> str:
    try:
        return importlib.metadata.version("watchkeeper")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


# --- serve ----------------------------------------------------------------------------------------------------------


async def serve(chosen: settings.Settings) -> int:
    """Runs the bot until SIGTERM or SIGINT. An outage of anything around it is waited out, told by /readyz."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    for line in telling.warnings(chosen):
        _LOG.warning("settings.note", note=line)
    bot = Bot(chosen)
    running = asyncio.create_task(bot.run())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not running.done():
        running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    return 0


class Bot:
    """One replica."""

    def __init__(self, chosen: settings.Settings) -> None:
        self._chosen = chosen
        self._metrics = telemetry.Metrics(_version())
        self._bell = parts.Bell()
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._rules = parts.rules_of(chosen)
        self._accesses = parts.checked(chosen, parts.accesses_of(chosen))
        self._clusters = clusters.Clusters(
            self._accesses, clock, time.monotonic, certificates=chosen.certificates, custom=chosen.kinds.own
        )
        self._monotonic = time.monotonic
        self._following: following.Following | None = None
        self._wrong: dict[str, str] = {"start": "not started yet"}

    async def run(self) -> None:
        """Starts every part, then works until cancelled, then ends them: doors first, the database last."""
        async with contextlib.AsyncExitStack() as stack:
            client = calling.client(self._chosen.slack_bot_token, self._chosen.slack_api_url)
            self._installation = installing.Installation(calling.Calling(client, clock, self._metrics.called_slack))
            app = self._slack_app(self._installation)
            await self._listen(stack, app)
            self._wrong["start"] = "waiting for the database"
            database = await stack.enter_async_context(parts.record(self._chosen))
            await self._migrated(database)
            self._wrong["start"] = "opening clusters"
            stack.push_async_callback(self._clusters.close)
            self._directory = membership.Directory(
                calling.Calling(client, clock, self._metrics.called_slack),
                approvals.places(self._rules.policy),
                clock=clock,
                time_to_live=self._chosen.members_ttl,
            )
            stack.push_async_callback(self._directory.close)
            earlier = past.Past(database, clock)
            wired = ports.Ports(
                store=database,
                eyes=self._clusters,
                hands=await self._hands(stack),
                witness=collecting.Collector(
                    self._clusters.reader,
                    clock,
                    log_lines=self._chosen.log_tail_lines,
                    log_bytes=self._chosen.log_tail_bytes,
                    secret_changes=self._chosen.secret_changes,
                    more=(*parts.sources_of(self._chosen, clock), earlier, runbooks.Shelf(database)),
                    live=earlier.live,
                    record=earlier.failures,
                ),
                advisor=await stack.enter_async_context(
                    parts.advisor_of(self._chosen, self._clusters, database, clock, self._monotonic, self._metrics)
                ),
                bell=self._bell,
                clock=clock,
                owner=self._owner,
                rules=self._rules,
                meter=self._metrics,
                ears=self._clusters,
                directory=self._directory,
            )
            publishing = publisher.Publisher(
                client,
                database,
                rules=self._rules,
                clock=clock,
                owner=self._owner,
                called=self._metrics.called_slack,
                posted_in=self._installation.posted_in,
            )
            line = pipeline.Pipeline(wired)
            held = doors.Doors(line, publishing, self._metrics, clock, self._chosen.timezone, self._check)
            if self._chosen.fast_path:
                seeing = self._clusters
                self._following = following.Following(line, wired, seeing.connection, seeing.selected, self._monotonic)
            stack.push_async_callback(line.stop)
            stack.push_async_callback(held.hang_up)
            for door in (commands, buttons, asking, modals, home, mentions, runbook_forms):
                door.register(app, held)
            await self._work(held, database, app, stack)

    def _slack_app(self, installation: installing.Installation) -> AsyncApp:
        """Its client holds no bot token: only the publisher calls Slack. Socket Mode has a token of its own."""
        secret = self._chosen.slack_signing_secret
        return installing.bolt(
            calling.client(None, self._chosen.slack_api_url),
            installation,
            signing_secret="" if secret is None else secret.get_secret_value(),
            signed=self._chosen.slack_mode == "http",
        )

    async def _listen(self, stack: contextlib.AsyncExitStack, app: AsyncApp) -> None:
        """One HTTP application for probes and, in HTTP mode, for Slack."""
        site = web.Application()
        health.register(site, self._metrics, self._check)
        if self._chosen.slack_mode == "http":
            site.router.add_post("/slack/events", _bolt_route(app))
        runner = web.AppRunner(site, access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        listening = web.TCPSite(runner, self._chosen.listen_host, self._chosen.listen_port)
        try:
            await listening.start()
        except OSError as error:
            raise errors.ConfigurationError(
                f"cannot listen on {self._chosen.listen_host}:{self._chosen.listen_port} ({error.strerror}). "
                f"Set {settings.variable('listen_port')} to a free port"
            ) from error
        _LOG.info("http.listening", addresses=[str(address) for address in runner.addresses])

    async def _migrated(self, database: engine.Database) -> None:
        """Waits for the database as long as it takes; a schema from the future is no outage and ends the start."""
        await _patiently("database", lambda: _prepared(database), self._wrong)

    async def _hands(self, stack: contextlib.AsyncExitStack) -> Callable[[str], ports.Hand | None]:
        if self._chosen.read_only:
            return _no_hand
        hands = Hands(self._chosen, self._accesses)
        stack.push_async_callback(hands.close)
        await _patiently("writing identity", hands.open, self._wrong)
        return hands.of

    async def _work(
        self, held: doors.Doors, database: engine.Database, app: AsyncApp, stack: contextlib.AsyncExitStack
    ) -> None:
        await _patiently("database", lambda: self._default_watches(held), self._wrong)
        timing = schedules.Schedules(held, report_cron=self._chosen.report_schedule, timezone=self._chosen.timezone)
        await _patiently("database", timing.refresh, self._wrong)
        self._database, self._publisher = database, held.publisher
        turns: list[tuple[str, Callable[[], Awaitable[bool]], int]] = [
            ("publish", held.publisher.turn, 1),
            ("diagnose", held.pipeline.diagnose_next, DIAGNOSERS),
            ("execute", held.pipeline.execute_next, EXECUTORS),
            ("verify", held.pipeline.verify_next, VERIFIERS),
            ("advise", held.pipeline.advise_next, ADVISERS),
            ("answer", held.pipeline.answer_next, ANSWERERS),
            ("announce", held.pipeline.announce_next, 1),
            ("tidy", _every(5.0, held.pipeline.tidy), 1),
            ("members", _every(MEMBERS_SECONDS, self._directory.refresh), 1),
            ("runbooks", _every(RUNBOOKS_SECONDS, self._library(database).refresh), 1),
            ("schedules", _every(5.0, timing.refresh), 1),
            ("count", _every(15.0, lambda: self._count(held)), 1),
        ]
        self._socket = connecting.Connecting(app, self._chosen.slack_app_token)
        gc.collect()
        gc.freeze()  # what is here now stays: a full collection need not walk it while Slack waits for an ack
        timing.start()
        stack.callback(timing.stop)
        self._wrong.pop("start", None)
        async with asyncio.TaskGroup() as group:
            for name, turn, count in turns:
                for _ in range(count):
                    group.create_task(self._worker(name, turn), name=name)
            group.create_task(telemetry.measure_lag(self._metrics, time.monotonic), name="lag")
            if self._chosen.slack_mode == "socket":
                group.create_task(self._socket.run(), name="socket")
            if self._following is not None:
                group.create_task(self._following.run(), name="fast path")
            group.create_task(timing.at_start(), name="first sweeps")
            group.create_task(self._installation.learn(), name="workspace")
            _LOG.info("bot.ready", owner=self._owner, clusters=list(self._clusters.clusters))

    def _library(self, database: engine.Database) -> runbooks.Library:
        """The runbooks that are kept in files."""
        return runbooks.Library(
            database,
            clock,
            folder=self._chosen.runbooks_dir,
            configmap=self._chosen.runbooks_configmap,
            clusters=self._clusters.clusters,
            readers=self._clusters.reader,
            own=self._chosen.kinds.own.kinds,
        )

    async def _worker(self, name: str, turn: Callable[[], Awaitable[bool]]) -> None:
        """Turn after turn. Whatever one turn meets, the next one comes: rows say what is still to be done."""
        failures = 0
        while True:
            try:
                busy = await turn()
                failures = 0
                if not busy:
                    await self._bell.wait(IDLE_SECONDS)
            except (errors.StoreUnavailable, errors.ClusterUnavailable) as error:
                _LOG.warning("worker.waiting", worker=name, error=str(error))
                await asyncio.sleep(_backoff(failures))
                failures += 1
            except Exception:  # noqa: BLE001 - a worker's boundary: one bad row must not end all work
                _LOG.exception("worker.failed", worker=name)
                await asyncio.sleep(_backoff(failures))
                failures += 1

    async def _default_watches(self, held: doors.Doors) -> None:
        """One watch of every cluster that never had one, where the settings want it: what was removed stays removed."""
        if not self._chosen.default_watch:
            return
        ever = await held.pipeline.clusters_ever()
        unseen = [access for access in self._accesses if access.name not in ever]
        channel = await self._default_channel(held) if unseen else ""
        for access in unseen:
            new = watches.NewWatch(
                name=access.name,
                cluster=access.name,
                scope=model.Scope(
                    self._chosen.include_namespaces, self._chosen.exclude_namespaces, self._chosen.namespace_labels
                ),
                cron=self._chosen.sweep_schedule,
                timezone=self._chosen.timezone,
                channel=channel,
                mode="approve",
                created_by="settings",
            )
            with contextlib.suppress(errors.NotPossible):  # another replica was first
                await held.pipeline.add_default_watch(new)

    async def _default_channel(self, held: doors.Doors) -> str:
        """Its id. A name that is not found is looked for a few times more: Slack may be away at this very moment."""
        named = self._chosen.default_channel
        for pause in (*BACKOFF_SECONDS[:3], None):
            found = await held.publisher.channel_named(named)
            if found is not None or not named.startswith("#") or pause is None:
                return found or named
            await asyncio.sleep(pause)
        return named

    async def _count(self, held: doors.Doors) -> None:
        self._metrics.incidents(await held.pipeline.counts())

    async def _check(self) -> Mapping[str, str]:
        """What is wrong now, part by part, for /readyz."""
        wrong = dict(self._wrong)
        if "start" in wrong:
            return wrong
        try:
            await self._database.ping()
        except errors.StoreUnavailable as error:
            wrong["database"] = str(error)
        if self._chosen.slack_mode == "socket" and not await self._socket.connected():
            wrong["slack"] = "Socket Mode is not connected"
        wrong |= {f"channel {channel}": fault for channel, fault in self._publisher.faults.items()}
        wrong |= {f"approvers in {place}": f"not read: {why}" for place, why in self._directory.faults.items()}
        wrong |= {f"cluster {name}": trouble for name, trouble in self._clusters.troubles.items()}
        return wrong


def _backoff(failures: int) -> float:
    return BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)]


async def _patiently(part: str, start: Callable[[], Awaitable[object]], wrong: dict[str, str]) -> None:
    """Tries until it is there; what is wrong meanwhile is told by /readyz and the log."""
    failures = 0
    while True:
        try:
            await start()
        except (errors.StoreUnavailable, errors.ClusterUnavailable) as error:
            wrong[part] = str(error)
            _LOG.warning("start.waiting", part=part, error=str(error))
            await asyncio.sleep(_backoff(failures))
            failures += 1
        else:
            wrong.pop(part, None)
            return


def _every(seconds: float, work: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[bool]]:
    """A worker's turn that does its work and then rests, whatever rings."""

    async def turn() -> bool:
        await work()
        await asyncio.sleep(seconds)
        return True

    return turn


def _no_hand(_cluster: str) -> None:
    return None


def _bolt_route(app: AsyncApp) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        answer = await app.async_dispatch(await to_bolt_request(request))
        return await to_aiohttp_response(answer)

    return handle


async def _prepared(database: engine.Database) -> None:
    """Migrated; and whether the audit trail is kept from this very process is said once."""
    guard = await database.migrate()
    (_LOG.info if guard.role else _LOG.warning)("database.guard", role=guard.role or "none", told=guard.told)


# --- one-shot commands ------------------------------------------------------------------------------------------------


class _Unwired:
    """Store and bell of a command that has none."""

    def begin(self) -> contextlib.AbstractAsyncContextManager[ports.Tx]:
        raise errors.StoreUnavailable("this command has no database")

    def ring(self) -> None:
        """Nobody is there to be woken."""


async def look_once(
    chosen: settings.Settings,
    kubeconfig: Path | None,
    context: str | None,
    namespaces: Sequence[str],
    diagnose: bool,
    progress: Callable[[str], None],
) -> looks.Look:
    """One look, with neither Slack nor database. Raises ClusterUnavailable or ConfigurationError."""
    updates: dict[str, object] = {}
    if kubeconfig is not None:
        updates["kubeconfig"] = kubeconfig
    if context is not None:
        updates["contexts"] = (context,)
    narrowed = chosen.model_copy(update=updates)
    accesses = parts.accesses_of(narrowed)
    if len(accesses) > 1:
        names = ", ".join(access.name for access in accesses)
        raise errors.ConfigurationError(f"one look is at one cluster: name one by --context ({names})")
    seeing = clusters.Clusters(
        accesses, clock, time.monotonic, certificates=chosen.certificates, custom=chosen.kinds.own
    )
    unwired = _Unwired()
    wired = ports.Ports(
        store=unwired,
        eyes=seeing,
        hands=_no_hand,
        witness=collecting.Collector(
            seeing.reader,
            clock,
            log_lines=chosen.log_tail_lines,
            log_bytes=chosen.log_tail_bytes,
            secret_changes=chosen.secret_changes,
            more=parts.sources_of(chosen, clock),
        ),
        advisor=absent.NoAdvisor(),
        bell=unwired,
        clock=clock,
        owner="sweep",
        rules=parts.rules_of(chosen),
    )
    labels = "" if namespaces else chosen.namespace_labels
    scope = model.Scope(tuple(namespaces) or chosen.include_namespaces, chosen.exclude_namespaces, labels)
    progress(f"looking at {accesses[0].name}")
    try:
        return await pipeline.Pipeline(wired).look_once(accesses[0].name, scope, diagnose=diagnose)
    finally:
        await seeing.close()


async def migrate(chosen: settings.Settings, check: bool) -> int:
    """Brings the schema up to date; with `check` only tells whether it is. Exit code."""
    async with parts.record(chosen) as database:
        if not check:
            await _prepared(database)
            return 0
        behind = await database.behind()
        if behind:
            _LOG.warning("schema.behind", revisions=list(behind))
        return 1 if behind else 0
