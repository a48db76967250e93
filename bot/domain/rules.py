"""What the stages go by: times, limits, who may approve, what is looked for. `bot.main` fills it from the settings."""

from dataclasses import dataclass, field
from datetime import timedelta

from bot.domain import watches
from k8s import detection, guardrails


@dataclass(frozen=True, slots=True)
class Rules:
    policy: guardrails.Policy = field(default_factory=guardrails.Policy)
    identities: guardrails.Identities = guardrails.NO_IDENTITIES
    """Who approvers are in the clusters, where what they approve is written in their names."""
    kinds: detection.Options = field(default_factory=detection.Options)
    """Which failure kinds are looked for, and what a person has set of each; `kinds_of` says what holds for a watch."""
    log_noise: tuple[str, ...] = ()
    """Texts (lower case) of log lines that are known and count for nothing."""
    default_channel: str = ""
    """Slack channel id for incidents of watches that name none."""
    proposal_ttl: timedelta = timedelta(minutes=15)
    undo_ttl: timedelta = timedelta(hours=12)
    """An undo stays on offer this long, as long as nothing else changed."""
    lease: timedelta = timedelta(seconds=30)
    """Work whose owner has not renewed it for this long is taken over."""
    verify_hold: timedelta = timedelta(seconds=60)
    """How long a workload must stay well before a fix counts as verified."""
    verify_hold_relapsing: timedelta = timedelta(minutes=5)
    """The same for crashes and memory, which come back after a while; never shorter than `verify_hold`."""
    verify_timeout: timedelta = timedelta(minutes=10)
    execution_timeout: timedelta = timedelta(minutes=15)
    """An execution in steps (a drain) is stopped after this long."""
    quiet_after_fix: timedelta = timedelta(minutes=10)
    """For this long after an action was verified old signals open nothing, and new ones go on in the same thread."""
    first_post_delay: timedelta = timedelta(seconds=4)
    """An incident is told after this long even if its diagnosis is not ready yet."""
    history: timedelta = timedelta(hours=24)
    """How far back past executions are looked at: longer than any cooldown, and than an undo stays on offer."""
    coalesce: timedelta = timedelta(seconds=10)
    """Background edits of one message are at least this far apart; people's actions never wait."""

    language: str = "en"
    """In which a model answers: `en`, `ko`."""
    model_deadline: timedelta = timedelta(seconds=60)
    """A model that has no answer by then has none."""

    def kinds_of(self, watch: watches.Watch | None) -> detection.Options:
        """What detection goes by for this watch; the settings alone where there is none."""
        return self.kinds if watch is None else watch.kinds.over(self.kinds)
