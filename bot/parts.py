"""The parts of a replica that the settings describe: clusters to reach, rules to go by, the record, the bell.

`bot.main` wires them. What must be handed out with care, the executor, is not made here.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

import pydantic

from bot import clusters, errors, ledger, settings
from bot.domain import consultations, ports, rules
from bot.evidence import asking, gathering, loki, looking, prometheus, ranking
from bot.llm import absent, advisor, pricing
from bot.store import embedded, engine
from k8s.client import connection
from k8s.client import errors as cluster_errors


def accesses_of(chosen: settings.Settings) -> Sequence[connection.ClusterAccess]:
    """How to reach each cluster as the reading identity. Raises ConfigurationError for a kubeconfig without context."""
    if chosen.in_cluster:
        name = chosen.cluster_name or "in-cluster"
        return [connection.ClusterAccess(name, in_cluster=True, service_account=chosen.service_account_dir)]
    try:
        contexts = chosen.contexts or (connection.current_context(chosen.kubeconfig),)
    except cluster_errors.ConfigurationError as error:
        raise errors.ConfigurationError(
            f"{error}. Set {settings.variable('kubeconfig')} to a kubeconfig file"
        ) from None
    named = chosen.cluster_name
    return [connection.ClusterAccess(named or context, chosen.kubeconfig, context) for context in contexts]


def writer_access(chosen: settings.Settings, access: connection.ClusterAccess) -> connection.ClusterAccess:
    """The same cluster as the writing identity."""
    if access.in_cluster and chosen.writer_kubeconfig is None:
        return access
    return connection.ClusterAccess(
        access.name,
        chosen.writer_kubeconfig or access.kubeconfig,
        access.context,
        user=chosen.writer_user or None,
    )


def checked(
    chosen: settings.Settings, accesses: Sequence[connection.ClusterAccess]
) -> Sequence[connection.ClusterAccess]:
    """The same, where every identity is one that its kubeconfig has. Raises ConfigurationError with all that is wrong:
    what only a person can set right is told at once, and is not waited for as an outage is."""
    faults: dict[str, None] = {}
    for access in accesses:
        for one in (access,) if chosen.read_only else (access, writer_access(chosen, access)):
            try:
                connection.check(one)
            except cluster_errors.ConfigurationError as error:
                faults[str(error)] = None
    if faults:
        raise errors.ConfigurationError(*faults)
    return accesses


def rules_of(chosen: settings.Settings) -> rules.Rules:
    return rules.Rules(
        policy=chosen.policy,
        identities=chosen.identities,
        kinds=chosen.kinds,
        log_noise=tuple(text.lower() for text in chosen.log_noise),
        default_channel=chosen.default_channel,
        proposal_ttl=chosen.proposal_ttl,
        undo_ttl=chosen.undo_ttl,
        lease=chosen.lease,
        verify_hold=chosen.verify_hold,
        verify_hold_relapsing=chosen.verify_hold_relapsing,
        verify_timeout=chosen.verify_timeout,
        execution_timeout=chosen.execution_timeout,
        quiet_after_fix=chosen.quiet_after_fix,
        first_post_delay=chosen.first_post_delay,
        coalesce=chosen.coalesce,
        history=max(chosen.undo_ttl, rules.Rules().history),
        language=chosen.language,
        model_deadline=chosen.model_deadline,
    )


def sources_of(chosen: settings.Settings, clock: ports.Clock) -> Sequence[gathering.Source]:
    """Where evidence is looked for besides the cluster and the record: what is set of Prometheus and Loki."""
    metrics, lines = prometheus_of(chosen, clock), loki_of(chosen, clock)
    return [one for one in (metrics, lines) if one is not None]


def prometheus_of(chosen: settings.Settings, clock: ports.Clock) -> prometheus.Prometheus | None:
    if not chosen.prometheus_url:
        return None
    return prometheus.Prometheus(asking.Address(chosen.prometheus_url, _text(chosen.prometheus_token)), clock)


def loki_of(chosen: settings.Settings, clock: ports.Clock) -> loki.Loki | None:
    if not chosen.loki_url:
        return None
    at = asking.Address(chosen.loki_url, _text(chosen.loki_token), tenant=chosen.loki_tenant)
    return loki.Loki(at, clock)


@contextlib.asynccontextmanager
async def advisor_of(
    chosen: settings.Settings,
    seeing: clusters.Clusters,
    store: ports.Store,
    clock: ports.Clock,
    monotonic: Callable[[], float],
    meter: ports.Meter,
) -> AsyncIterator[ports.Advisor]:
    """The model of the settings behind its checks and ceilings, or none, for as long as the body runs.

    The library of the API is loaded only where a model is set: most of its weight is never used without one.
    """
    if chosen.anthropic_api_key is None:
        yield absent.NoAdvisor()
        return
    from bot.llm import client

    asked = client.Client(chosen.anthropic_api_key.get_secret_value(), chosen.anthropic_base_url)
    micro = (int(amount * consultations.MICRO) for amount in _budgets(chosen))
    paying = ledger.Ledger(store, consultations.Ceilings(*micro), clock, meter)
    metrics, lines = prometheus_of(chosen, clock), loki_of(chosen, clock)

    def look(brief: consultations.Brief) -> ports.Looking:
        return looking.Looking(
            brief,
            seeing.reader,
            seeing.selected,
            store,
            clock,
            chosen.policy,
            metrics=metrics,
            lines=lines,
        )

    options = advisor.Options(chosen.model, chosen.model_small, chosen.model_max_turns)
    prices = pricing.Prices(chosen.model_prices)
    try:
        yield advisor.Advisor(asked, look, paying, prices, ranking.fit, options, monotonic=monotonic)
    finally:
        await asked.close()


def _budgets(chosen: settings.Settings) -> tuple[float, float, float]:
    return chosen.budget_incident, chosen.budget_watch_day, chosen.budget_day


def _text(secret: pydantic.SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()


@contextlib.asynccontextmanager
async def record(chosen: settings.Settings) -> AsyncIterator[engine.Database]:
    """The database of the settings, or an embedded one in the data folder, for as long as the body runs."""
    url = None if chosen.database_url is None else chosen.database_url.get_secret_value()
    async with contextlib.AsyncExitStack() as stack:
        if url is None:
            server = embedded.EmbeddedPostgres(chosen.data_dir / "postgres")
            await server.start()
            stack.push_async_callback(server.stop)
            url = server.url
        database = engine.Database(url, role=chosen.database_role)
        stack.push_async_callback(database.close)
        yield database


class Bell:
    """Wakes every worker of this process. Implements `ports.Bell`."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Event] = set()

    def ring(self) -> None:
        for event in self._waiting:
            event.set()

    async def wait(self, seconds: float) -> None:
        """Until it rings, at most this long."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(event)
