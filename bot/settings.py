"""All settings, and the only place that reads the environment.

`load` is called once, by `bot.__main__` (and by the demo, with an environment of its own making). It names everything
that is wrong in one go. `Settings(...)` itself reads nothing, so that a test says all that it relies on.

`bot.telling` tells them to people, and makes the page docs/configuration.md (`python -m bot config --markdown`).
"""

import difflib
import os
import urllib.parse
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pydantic
import pydantic_settings
from pydantic_settings.sources import utils

from bot import errors, formats, impersonation, plugins, policies
from k8s import custom, custom_actions, detection, guardrails, model, policy

PREFIX = "WATCHKEEPER_"
Purpose = Literal["look", "serve"]
"""What the settings are for: `serve` is the whole bot, with Slack; all else does without it."""


# --- the settings


def _set(default: Any, how: str, *names: str, **bounds: Any) -> Any:
    """A field: its default, how a person sets it (completes "set it to"), and other variables it is read from."""
    alias = pydantic.AliasChoices(*names) if names else None
    return pydantic.Field(default, validation_alias=alias, json_schema_extra={"how": how}, **bounds)


def _dollars(default: float) -> Any:
    return _set(default, "US dollars, such as 0.50 or 20; 0 is nothing at all", ge=0, le=1_000_000)


def _seconds(default: float, least: float, most: float) -> Any:
    spans = [timedelta(seconds=number) for number in (default, least, most)]
    how = f"a duration from {formats.in_words(spans[1])} to {formats.in_words(spans[2])}, such as 90s, 15m or 12h"
    return _set(spans[0], how, ge=spans[1], le=spans[2])


_Secret = pydantic.SecretStr | None
_List = Annotated[tuple[str, ...], pydantic_settings.NoDecode, pydantic.BeforeValidator(formats.parts)]
_Span = Annotated[timedelta, pydantic.BeforeValidator(formats.duration)]
_Kinds = Annotated[tuple[str, ...], pydantic_settings.NoDecode, pydantic.BeforeValidator(formats.kinds)]
_Graces = Annotated[Mapping[str, timedelta], pydantic_settings.NoDecode, pydantic.BeforeValidator(formats.graces)]
_Severities = Annotated[
    Mapping[str, model.Severity], pydantic_settings.NoDecode, pydantic.BeforeValidator(formats.severities)
]
_Prices = Annotated[
    Mapping[str, tuple[float, float, float, float]],
    pydantic_settings.NoDecode,
    pydantic.BeforeValidator(formats.prices),
]
_Folder = Annotated[Path, pydantic.AfterValidator(formats.home)]
_File = Annotated[Path | None, pydantic.AfterValidator(lambda value: None if value is None else formats.home(value))]


class Settings(pydantic_settings.BaseSettings):
    """Every setting, by subject. Durations are written `90s`, `15m`, `12h` (a bare number is seconds)."""

    model_config = pydantic_settings.SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
        populate_by_name=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        validate_default=True,
    )

    # Slack
    slack_bot_token: Annotated[_Secret, pydantic.AfterValidator(formats.token("xoxb-"))] = _set(
        None, "the Bot User OAuth Token (xoxb-…) of your Slack app: OAuth & Permissions"
    )
    """Bot token of the Slack app. `serve` needs it; `sweep` does not."""
    slack_app_token: Annotated[_Secret, pydantic.AfterValidator(formats.token("xapp-"))] = _set(
        None, "an App-Level Token (xapp-…) with the scope connections:write: Basic Information of your Slack app"
    )
    """App-level token, for Socket Mode. `serve` needs it unless WATCHKEEPER_SLACK_MODE is http."""
    slack_signing_secret: Annotated[_Secret, pydantic.AfterValidator(formats.signing_secret)] = _set(
        None, "the Signing Secret on the page Basic Information of your Slack app"
    )
    """Proves that a request comes from Slack. `serve` needs it where WATCHKEEPER_SLACK_MODE is http."""
    slack_mode: Literal["socket", "http"] = _set("socket", "socket or http")
    """How Slack reaches the bot. Socket Mode by default: it needs no address that Slack can reach from outside."""
    slack_api_url: Annotated[str, pydantic.AfterValidator(formats.url)] = _set(
        "https://slack.com/api/", "the base address of Slack's Web API, such as https://slack.com/api/"
    )
    """Base address of the Web API and of Socket Mode's `apps.connections.open`: for GovSlack, proxies and stand-ins."""
    default_channel: Annotated[str, pydantic.AfterValidator(formats.channel)] = _set(
        "", "the channel for incidents: an id such as C0123456789, or a name such as #oncall"
    )
    """Where incidents of watches that name no channel are told. `serve` needs it while the default watch is on."""
    approvers: Annotated[_List, pydantic.AfterValidator(formats.users)] = _set(
        (), "Slack user ids such as U0123456789, with commas between them, or * for everyone"
    )
    """Who may approve. Empty by default, and then nobody may: leave to change a cluster is given, never assumed."""
    members_ttl: _Span = _seconds(300, 10, 3600)
    """Who is in a user group or channel of the policy is believed for this long, and read again after half of it."""
    first_post_delay: _Span = _seconds(4, 0, 60)
    """An incident is told after this long even where its diagnosis is not ready: one full message beats two."""
    coalesce: _Span = _seconds(10, 1, 600)
    """Background edits of one message are at least this far apart. A press is shown at once in any case."""

    # The record
    database_url: Annotated[_Secret, pydantic.AfterValidator(formats.database)] = _set(
        None,
        "postgresql://user:password@host:5432/name, special characters in the password percent-encoded",
        PREFIX + "DATABASE_URL",
        "DATABASE_URL",
    )
    """Postgres to keep the record in. Without it an embedded one runs in the data folder: for one replica only."""
    database_role: Annotated[str, pydantic.AfterValidator(formats.role)] = _set(
        "", "the name of a role in Postgres, such as watchkeeper_app"
    )
    """Role that sessions take: it may add to the audit trail and not change it. Empty: `watchkeeper_app`, made where
    that is allowed. One that is named must be there and must be right (docs/audit.md), else nothing starts."""
    data_dir: _Folder = _set(Path("~/.local/state/watchkeeper"), "a folder that this process may write to")
    """Data folder: the embedded Postgres. Under `$XDG_STATE_HOME` where that is set."""
    lease: _Span = _seconds(30, 5, 600)
    """Work whose owner gave no sign of life for this long is taken over by another replica."""

    # Clusters
    kubeconfig: _File = _set(None, "the path of a kubeconfig file")
    """Kubeconfig of the reading identity. Without it: the pod's service account, else kubectl's usual places."""
    contexts: _List = _set((), "contexts of the kubeconfig, with commas between them")
    """Contexts to watch, one cluster each. Empty: the kubeconfig's current context."""
    writer_kubeconfig: _File = _set(None, "the path of a kubeconfig file")
    """Kubeconfig of the writing identity, so that reading never has the right to write. Empty: the reading one's."""
    writer_user: str = _set("", "the name of a user entry in the kubeconfig")
    """User entry of the kubeconfig that writes, as in `kubectl --user`. Empty: the context's own user."""
    cluster_name: str = _set("", "what people call the cluster, such as prod-eu", max_length=60)
    """What the cluster is called in messages. Empty: the context's name, or `in-cluster`. For a single cluster only."""
    service_account_dir: Path = _set(
        Path("/var/run/secrets/kubernetes.io/serviceaccount"), "the folder of the pod's service account"
    )
    """Where the kubelet puts the pod's token; one in there, and no kubeconfig set, means "watch my own cluster"."""

    # Watching
    default_watch: bool = _set(True, "true or false")
    """Make a watch of every cluster at the first start. Off: nothing is watched until somebody says `/watch add`."""
    sweep_schedule: Annotated[str, pydantic.AfterValidator(formats.schedule)] = _set(
        "*/2 * * * *", "a cron expression such as */2 * * * *"
    )
    """Cron of the default watch. Every two minutes: half of them would be seen too late for a P1, more cost calls."""
    fast_path: bool = _set(True, "true or false")
    """Follow clusters by watch streams as well, so that what breaks is told within seconds. Off: sweeps alone."""
    timezone: Annotated[str, pydantic.AfterValidator(formats.zone)] = _set("UTC", "an IANA name such as Europe/Berlin")
    """Time zone that schedules are read in."""
    include_namespaces: _List = _set((), "namespace globs, with commas between them, such as prod-*,payments")
    """Namespaces of the default watch. Empty: all. Names without a glob are listed one by one (a Role is enough)."""
    exclude_namespaces: _List = _set((), "namespace globs, with commas between them, such as dev-*")
    """Namespaces that the default watch leaves out; this wins over the ones included."""
    namespace_labels: Annotated[str, pydantic.AfterValidator(formats.selector)] = _set(
        "", "a label selector such as team=payments,env!=dev"
    )
    """Labels that namespaces of the default watch must have besides. The reading identity must list namespaces."""
    report_schedule: Annotated[str, pydantic.AfterValidator(formats.schedule_or_off)] = _set(
        "0 9 * * *", "a cron expression such as 0 9 * * mon-fri, or off"
    )
    """When each channel gets its report. At nine, when those who were not on call come in; silent if nothing was."""
    log_tail_lines: int = _set(200, "a number of lines from 10 to 5000", ge=10, le=5000)
    """Lines read from the end of a container's log as evidence: enough for a stack trace of a deep framework."""
    log_tail_bytes: int = _set(65536, "a number of bytes from 1024 to 1048576", ge=1024, le=1048576)
    """Bytes read from the end of a container's log at most: one endless line must not fill the memory."""

    prometheus_url: Annotated[str, pydantic.AfterValidator(formats.url_or_none)] = _set(
        "", "the address of a Prometheus, such as http://prometheus.monitoring:9090; {cluster} is the cluster's name"
    )
    """Asked for the hour before a failure: memory, cpu, throttling, restarts, errors (docs/evidence.md). Empty: not."""
    prometheus_token: Annotated[_Secret, pydantic.AfterValidator(formats.key)] = _set(None, "a bearer token")
    """Sent to Prometheus as `Authorization: Bearer …`, where it wants one."""
    loki_url: Annotated[str, pydantic.AfterValidator(formats.url_or_none)] = _set(
        "", "the address of a Loki, such as http://loki.monitoring:3100; {cluster} is the cluster's name"
    )
    """Asked for lines of errors in the half hour before a failure (docs/evidence.md). Empty: not."""
    loki_token: Annotated[_Secret, pydantic.AfterValidator(formats.key)] = _set(None, "a bearer token")
    """Sent to Loki as `Authorization: Bearer …`, where it wants one."""
    loki_tenant: Annotated[str, pydantic.AfterValidator(formats.tenant_or_none)] = _set(
        "", "the name of a tenant, or several with | between them"
    )
    """Sent to Loki as `X-Scope-OrgID`, where it keeps the lines of several tenants apart."""

    # Runbooks
    runbooks_dir: _File = _set(None, "the path of a folder of Markdown files")
    """Runbooks: the Markdown files of this folder, shown with the evidence that they fit (docs/runbooks.md)."""
    runbooks_configmap: Annotated[str, pydantic.AfterValidator(formats.configmap)] = _set(
        "", "namespace/name of a ConfigMap, such as ops/runbooks"
    )
    """A ConfigMap whose entries are runbooks, read in each cluster that has it. The reading identity must get it."""

    # Failure kinds
    graces: _Graces = _set(
        {}, "kind=duration, with commas between them, such as NotReady=10m,Unschedulable=30s (0s to 1d)"
    )
    """A state younger than this opens no incident, by failure kind. The others keep theirs: `watchkeeper kinds`."""
    severities: _Severities = _set(
        {}, "kind=P1, kind=P2 or kind=P3, with commas between them, such as OOMKilled=P1,JobFailed=P3"
    )
    """How bad a failure kind is, whatever its detector would say. The others keep theirs: `watchkeeper kinds`."""
    kinds_off: _Kinds = _set((), "failure kinds, with commas between them, such as JobFailed,NodePressure")
    """Failure kinds that are not looked for at all. For one workload: annotate it `watchkeeper.io/ignore`; for one
    watch: `/watch kinds`."""
    kinds_on: _Kinds = _set((), "failure kinds, with commas between them, such as Risk")
    """Failure kinds to look for that are off by default: Risk, which reports what may hurt later and opens nothing, and
    LogErrors, for which some logs are read in every sweep."""
    log_noise: _List = _set((), "texts, with commas between them, such as context canceled,broken pipe")
    """Log lines that hold one of these count for nothing in LogErrors. For one workload: the annotation for kinds."""
    certificates: bool = _set(False, "true or false")
    """Read the certificates of TLS Secrets, to tell of those that end soon. The reading identity must list Secrets."""
    secret_changes: bool = _set(False, "true or false")
    """Tell when Secrets of a failing workload were changed, by their metadata: reading them must be granted."""
    detectors_file: _File = _set(None, "the path of a YAML file of rules (docs/custom-detectors.md)")
    """Failure kinds of your own: rules in CEL over any resource, custom ones too. The reading identity must list it."""
    _own: custom.Custom = pydantic.PrivateAttr(default=custom.NONE)
    """The rules of that file, and the detectors of other packages: `load` puts them here."""

    # Acting
    read_only: bool = _set(False, "true or false")
    """Only watch and diagnose: the writing identity is not even opened. Overrides the mode of every watch."""
    protected_namespaces: _List = _set(
        ("kube-system", "kube-public", "kube-node-lease"), "namespaces, with commas between them"
    )
    """Namespaces in which nothing is ever changed, whoever approves: the cluster's own machinery by default."""
    policy_file: _File = _set(None, "the path of a YAML file (docs/policy.md)")
    """The policy: what may be done where, by whom, how often and when not. Without it people are asked for everything.
    `watchkeeper policy check` explains a file. What is set here besides holds as well: a denial wins."""
    _held: policy.Policy | None = pydantic.PrivateAttr(default=None)
    """The policy of that file: `load` puts it here."""
    impersonation_file: _File = _set(None, "the path of a YAML file (docs/impersonation.md)")
    """Who approvers are in the clusters: what they approve is written in their names, by impersonation, so that the
    cluster's audit log names them. Who is not in the file cannot approve. Without it: in the writer's own name."""
    _people: guardrails.Identities = pydantic.PrivateAttr(default=guardrails.NO_IDENTITIES)
    """Who is who by that file: `load` puts it here."""
    proposal_ttl: _Span = _seconds(900, 60, 86400)
    """A proposal can be approved for this long. After 15 minutes nobody should trust what it rested on."""
    undo_ttl: _Span = _seconds(43200, 60, 604800)
    """Undo is on offer for this long, as long as nothing else changed: a night's shift."""
    execution_timeout: _Span = _seconds(900, 60, 7200)
    """An action in steps (a drain, which waits for disruption budgets) is stopped after this long, with what is done
    then. All others are one write, which has 30 seconds."""
    verify_hold: _Span = _seconds(60, 0, 3600)
    """How long a workload must stay well before a fix counts as verified: longer than a crash loop's first waits."""
    verify_hold_relapsing: _Span = _seconds(300, 0, 3600)
    """The same for crashes and memory, which come back after a while: as long as a crash loop waits at most. Where it
    is shorter than WATCHKEEPER_VERIFY_HOLD, that holds for these as well."""
    verify_timeout: _Span = _seconds(600, 10, 86400)
    """After this long a fix that is not verified counts as not verified. A Deployment's own deadline by default. What
    is well by then and has only to stay so is given the rest of its time."""
    quiet_after_fix: _Span = _seconds(600, 0, 86400)
    """For this long after an action was verified, signals of before it (an old OOM kill, say) open nothing, and a new
    failure of the same workload goes on in the same thread."""

    # The model
    anthropic_api_key: Annotated[_Secret, pydantic.AfterValidator(formats.key)] = _set(
        None,
        "an API key of the Claude Console (sk-ant-…)",
        PREFIX + "ANTHROPIC_API_KEY",
        "ANTHROPIC_API_KEY",
    )
    """Asks a model for its view besides the rules. Without it no model is asked, and the rules stand alone."""
    anthropic_base_url: Annotated[str, pydantic.AfterValidator(formats.url)] = _set(
        "https://api.anthropic.com/", "the base address of the Messages API, such as https://api.anthropic.com/"
    )
    """Base address of the Messages API: for gateways, proxies and stand-ins."""
    model: Annotated[str, pydantic.AfterValidator(formats.model_name)] = _set(
        "claude-sonnet-5-5", "the name of a model, such as claude-sonnet-5-5"
    )
    """The model whose view is shown."""
    model_small: Annotated[str, pydantic.AfterValidator(formats.model_name_or_off)] = _set(
        "claude-haiku-5-5", "the name of a model, such as claude-haiku-5-5, or off"
    )
    """Asked first. The larger one is asked where this one says that it is not sure. off: only the larger one."""
    model_prices: _Prices = _set(
        {
            "claude-haiku-5-5": (0.1, 0.5, 0.125, 0.01),
            "claude-sonnet-5-5": (2, 10, 2.5, 0.1),
            "claude-opus-5-5": (4, 20, 5, 0.2),
        },
        "name=in/out/written/read in US dollars for a million tokens, with commas between the models",
    )
    """What models cost: tokens in, out, written to the prompt cache and read from it. A model that is not in the list
    counts as the dearest of each."""
    model_max_turns: int = _set(6, "a number of requests from 1 to 20", ge=1, le=20)
    """Requests that one model may take for one view, with what it looks at in between."""
    model_deadline: _Span = _seconds(90, 5, 600)
    """A view that takes longer than this is not waited for."""
    budget_incident: float = _dollars(0.5)
    """What may be spent on one incident over its whole life, its questions included."""
    budget_watch_day: float = _dollars(5)
    """What may be spent on the incidents of one watch in a day (UTC)."""
    budget_day: float = _dollars(20)
    """What may be spent in a day (UTC) on all. At a ceiling no model is asked, and the card says so."""
    language: Literal["en", "ko"] = _set("en", "en or ko")
    """The language that a model writes in: English or Korean. The product's own words are English."""

    # The process
    listen_host: str = _set("127.0.0.1", "an address of this machine, such as 127.0.0.1 or 0.0.0.0", min_length=1)
    """Address for /healthz, /readyz, /metrics and Slack's requests. Only this machine, unless told: no login."""
    listen_port: int = _set(8080, "a port from 0 to 65535 (0: any free one)", ge=0, le=65535)
    """Port of the same. Not called WATCHKEEPER_PORT: Kubernetes sets that itself beside a Service named watchkeeper."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = _set("INFO", "DEBUG, INFO, WARNING or ERROR")
    """Least level that is logged. The libraries below are never logged under WARNING: their debug logs hold tokens."""
    log_format: Literal["console", "json"] = _set("console", "console or json")
    """console for people, json (one object a line) for a log store. The container image sets json."""
    no_color: Annotated[bool, pydantic.BeforeValidator(formats.flag)] = _set(
        False, "1", PREFIX + "NO_COLOR", "NO_COLOR"
    )
    """No colours in the terminal, whatever it can do (https://no-color.org)."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[pydantic_settings.BaseSettings],  # noqa: ARG003
        init_settings: pydantic_settings.PydanticBaseSettingsSource,
        env_settings: pydantic_settings.PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: pydantic_settings.PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: pydantic_settings.PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[pydantic_settings.PydanticBaseSettingsSource, ...]:
        """Arguments only: `load` says which environment is read."""
        return (init_settings,)

    @property
    def in_cluster(self) -> bool:
        """Whether to watch the cluster that this pod runs in, as its service account."""
        return self.kubeconfig is None and not self.contexts and (self.service_account_dir / "token").exists()

    @property
    def kinds(self) -> detection.Options:
        """What detection looks for, and what a person has set of each kind."""
        return detection.Options(
            frozenset(self.kinds_off), self.graces, self.severities, enabled=frozenset(self.kinds_on), own=self._own
        )

    @property
    def policy(self) -> policy.Policy:
        """What may be done: the policy file, or the shipped default without one, and the settings beside it."""
        said = msgspec.structs.replace(
            policy.Policy() if self._held is None else policy.NEUTRAL,
            read_only=self.read_only,
            approvers=self.approvers,
            protected_namespaces=self.protected_namespaces,
        )
        return said if self._held is None else policy.merged(self._held, said)

    @property
    def identities(self) -> guardrails.Identities:
        """In whose name an approved action is written."""
        return self._people

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret text, for the masking of logs. Never printed."""
        held = [
            self.slack_bot_token,
            self.slack_app_token,
            self.slack_signing_secret,
            self.database_url,
            self.anthropic_api_key,
            self.prometheus_token,
            self.loki_token,
        ]
        texts = [secret.get_secret_value() for secret in held if secret is not None]
        if self.database_url is not None:
            password = urllib.parse.urlsplit(self.database_url.get_secret_value()).password
            texts += [password, urllib.parse.unquote(password)] if password else []
        return tuple(dict.fromkeys(texts))


# --- loading


def load(
    environ: Mapping[str, str] | None = None, *, purpose: Purpose = "look", policy_file: Path | None = None
) -> Settings:
    """Reads the settings (from the process's environment unless given one) and checks them for a purpose.

    `policy_file` stands in for the one that is set. Raises errors.ConfigurationError with every fault at once, one line
    each: which variable, and how to set it.
    """
    given = os.environ if environ is None else environ
    instead = {} if policy_file is None else {variable("policy_file"): str(policy_file)}
    settings, faults = _check({**given, **instead}, purpose)
    if settings is None or faults:
        raise errors.ConfigurationError(*faults)
    return settings


def faults(environ: Mapping[str, str] | None = None, *, purpose: Purpose) -> tuple[str, ...]:
    """What `load` would find wrong."""
    return tuple(_check(os.environ if environ is None else environ, purpose)[1])


def policy_file(environ: Mapping[str, str] | None = None) -> Path | None:
    """The policy file that is set, whatever else is wrong; None without one."""
    return _path(_read(os.environ if environ is None else environ).get("policy_file"))


def variable(field: str) -> str:
    """The variable that sets a field: `WATCHKEEPER_LISTEN_PORT`."""
    return PREFIX + field.upper()


def _check(environ: Mapping[str, str], purpose: Purpose) -> tuple[Settings | None, list[str]]:
    values = _read(environ)
    own, wrong = plugins.load(_path(values.get("detectors_file")))
    actions, broken = plugins.actions()
    custom_actions.install(actions)
    held, denied = policies.load(_path(values.get("policy_file")))
    people, unknown = impersonation.load(_path(values.get("impersonation_file")))
    wrong = (*wrong, *broken, *denied, *unknown)
    faults: dict[str, str] = {}
    with formats.knowing(own.kinds):
        try:
            settings = Settings(**values)
        except pydantic.ValidationError as error:
            told = error.errors(include_input=False, include_url=False)
            faults = {str(one["loc"][0]): _sentence(one) for one in told}
            try:
                settings = Settings(**{name: value for name, value in values.items() if name not in faults})
            except pydantic.ValidationError:  # a default that cannot be: no home folder
                return None, [*faults.values(), *wrong, *_misspelt(environ)]
    settings._own = own  # noqa: SLF001 - as the class says
    settings._held = held  # noqa: SLF001 - as the class says
    settings._people = people  # noqa: SLF001 - as the class says
    found = [
        sentence
        for fields, sentence in (*_missing(settings, purpose), *_conflicts(settings))
        if not faults.keys() & set(fields)
    ]
    return settings, [*faults.values(), *found, *wrong, *_misspelt(environ)]


def _path(text: object) -> Path | None:
    """The file of rules, or of the policy. One that cannot be told (no home folder) is named as a malformed setting."""
    try:
        return None if text is None else formats.home(Path(str(text)))
    except ValueError:
        return None


def _read(environ: Mapping[str, str]) -> dict[str, Any]:
    """Field → text, by pydantic-settings' own rules of prefix, aliases and empty values."""
    source = pydantic_settings.EnvSettingsSource(Settings)
    stripped = {name: value.strip() for name, value in environ.items()}  # a Secret made by `echo` ends in a line break
    source.env_vars = utils.parse_env_vars(stripped, case_sensitive=False, ignore_empty=True)
    aliases = {
        str(name): field
        for field, info in Settings.model_fields.items()
        if isinstance(info.validation_alias, pydantic.AliasChoices)
        for name in info.validation_alias.choices
    }
    values = {aliases.get(name, name): value for name, value in source().items()}
    if "data_dir" not in values and stripped.get("XDG_STATE_HOME"):
        values["data_dir"] = Path(stripped["XDG_STATE_HOME"]) / "watchkeeper"
    return values


def how(field: str) -> str:
    """How a person sets a field; completes "set it to"."""
    extra = Settings.model_fields[field].json_schema_extra
    return str(extra["how"]) if isinstance(extra, dict) else ""


def _sentence(error: Any) -> str:
    field = str(error["loc"][0])
    own = error.get("ctx", {}).get("error")
    if own is not None:
        reason = str(own)
    elif error["type"].startswith(("greater", "less")):
        reason = "it is out of bounds"
    elif error["type"] == "literal_error":
        reason = "it is none of the words that it can be"
    else:
        reason = error["msg"].replace("Input should be", "it is not").replace("String should", "it does not")
    return f"{variable(field)} is malformed: {reason}. Set it to {how(field)}"


def _missing(settings: Settings, purpose: Purpose) -> Iterator[tuple[tuple[str, ...], str]]:
    """What `serve` cannot do without, with the fields that it hangs on."""
    if purpose != "serve":
        return
    proof = "slack_app_token" if settings.slack_mode == "socket" else "slack_signing_secret"
    for field in ("slack_bot_token", proof):
        if getattr(settings, field) is None:
            yield (field, "slack_mode") if field == proof else (field,), _absent(field)
    if settings.default_watch and not settings.default_channel:
        line = f"{_absent('default_channel')}, or {variable('default_watch')} to false and use /watch add"
        yield ("default_channel", "default_watch"), line


def _absent(field: str) -> str:
    return f"{variable(field)} is missing: set it to {how(field)}"


def _conflicts(settings: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
    """Settings that are good alone and make no sense together."""
    if settings.cluster_name and len(settings.contexts) > 1:
        line = f"{variable('cluster_name')} names one cluster, but {variable('contexts')} has several: unset it"
        yield ("cluster_name", "contexts"), line
    for field in ("prometheus_url", "loki_url"):
        if len(settings.contexts) > 1 and getattr(settings, field) and "{cluster}" not in getattr(settings, field):
            line = f"{variable(field)} is one address for several clusters: write {{cluster}} in it, or unset it"
            yield (field, "contexts"), line
    if both := [kind for kind in settings.kinds_on if kind in settings.kinds_off]:
        line = f"{variable('kinds_on')} and {variable('kinds_off')} both name {', '.join(both)}: unset one of them"
        yield ("kinds_on", "kinds_off"), line
    if settings.verify_hold >= settings.verify_timeout:
        line = f"{variable('verify_hold')} is not shorter than {variable('verify_timeout')}: set it to less"
        yield ("verify_hold", "verify_timeout"), line


def _misspelt(environ: Mapping[str, str]) -> Iterator[str]:
    """Variables that are nearly one of ours. Others with our prefix may be Kubernetes' own (service links)."""
    known = {variable(field) for field in Settings.model_fields}
    for name in sorted(environ):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            near = difflib.get_close_matches(name.upper().removeprefix(PREFIX), [n.removeprefix(PREFIX) for n in known])
            if near and difflib.SequenceMatcher(None, near[0], name.upper().removeprefix(PREFIX)).ratio() > 0.8:
                yield f"{name} is not a setting: set {PREFIX}{near[0]} instead, or unset it"
