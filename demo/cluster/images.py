"""Registries, images and the programs inside: what can be pulled, and what a container does once it runs.

A program is a function from what a container was started with (image, environment, limits) to a `Run`: its log, when it
becomes ready, and when and how it ends. So a repaired spec really heals. The kubelet asks; scenarios and tests publish.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field

_REFERENCE = re.compile(
    r"^(?P<repository>(?:[a-zA-Z0-9.-]+(?::\d+)?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?$"
)

_NO_HOST = ".invalid"
"""No resolver knows a name under it: https://www.rfc-editor.org/rfc/rfc6761#section-6.4"""
_RESOLVER = "172.18.0.1:53"


@dataclass(frozen=True)
class Launch:
    """What a container is started with."""

    image: str
    tag: str
    env: dict[str, str]
    command: tuple[str, ...]
    memory_limit: float | None
    """Bytes; None without a limit."""
    pod: str
    namespace: str
    container: str
    attempt: int
    """0 for the first start in this pod."""


@dataclass(frozen=True)
class Run:
    """What a container does from its start on. Times are simulated seconds after the start."""

    lines: tuple[tuple[float, str], ...] = ()
    repeat: tuple[str, ...] = ()
    """Lines that come round again every `period` seconds while it runs."""
    period: float = 10.0
    exit_after: float | None = None
    exit_code: int = 0
    reason: str = ""
    """Of the termination; Completed or Error by the exit code when empty, or OOMKilled."""
    message: str = ""
    """Termination message, as a program writes it to /dev/termination-log."""
    start_error: str = ""
    """The runtime cannot start the command: RunContainerError with this text."""
    ready_after: float | None = 1.0
    """When its readiness probe begins to succeed; None: never."""
    ready_until: float | None = None
    """When its readiness probe begins to fail again."""
    live_until: float | None = None
    """When its liveness probe begins to fail."""
    probe_error: str = "HTTP probe failed with statuscode: 503"
    listens: bool = True
    """Whether anything listens on its ports; else a probe's connection is refused."""
    stop_after: float = 0.6
    """How long it takes to end after SIGTERM; killed when that is longer than the grace period."""
    stop_code: int = 0
    used_memory: float = 0.0
    """Bytes at the end, for the kernel's message about an OOM kill."""
    files: tuple[tuple[float, str, str | None], ...] = ()
    """(when, path, content): files that the program writes, or removes where the content is None."""


Program = Callable[[Launch], Run]


@dataclass(frozen=True)
class Image:
    reference: str
    """With domain and tag: docker.io/payments/api:v2."""
    program: Program
    pull_seconds: float
    size: int

    @property
    def id(self) -> str:
        """As containerd reports it: repository@digest."""
        digest = hashlib.sha256(self.reference.encode()).hexdigest()
        return f"{self.reference.rpartition(':')[0]}@sha256:{digest}"


@dataclass(frozen=True)
class PullError:
    """A failed pull, with containerd's sentence."""

    message: str
    seconds: float = 0.8
    invalid_name: bool = False


@dataclass
class _Repository:
    program: Program
    tags: dict[str, Program] = field(default_factory=dict)
    pull_seconds: float = 1.4
    size: int = 48_000_000


def canonical(image: str) -> tuple[str, str] | None:
    """(repository with its domain, tag), as a container runtime completes a reference; None when it is malformed."""
    found = _REFERENCE.match(image)
    if found is None:
        return None
    repository, tag = found["repository"], found["tag"] or ("" if found["digest"] else "latest")
    domain, slash, rest = repository.partition("/")
    if not slash:
        return f"docker.io/library/{repository}", tag
    if "." in domain or ":" in domain or domain == "localhost":
        return f"{domain}/{rest}", tag
    return f"docker.io/{repository}", tag


def _path_of(image: str) -> str:
    """The repository of a reference without the host that it may begin with, and without tag and digest."""
    first, slash, rest = image.partition("@")[0].partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    return (rest if named else first + slash + rest).partition(":")[0]


def serve(*lines: str, period: float = 10.0) -> Program:
    """A healthy server: it says that it listens, then a line of its access log now and then."""
    first = ((0.1, "starting"), (0.6, "listening on :8080"))
    repeat = lines or ('{"level":"info","msg":"GET /healthz","status":200,"ms":1}',)
    return lambda _: Run(lines=first, repeat=repeat, period=period)


class Images:
    """The registries that the nodes can reach."""

    def __init__(self) -> None:
        self._repositories: dict[str, _Repository] = {}
        self._unauthorized: dict[str, str] = {}
        self._unreachable: dict[str, str] = {}
        self._refusing: dict[str, str] = {}

    def publish(
        self,
        repository: str,
        *tags: str,
        program: Program | None = None,
        pull_seconds: float = 1.4,
        size: int = 48_000_000,
    ) -> None:
        """Make `repository:tag` pullable for each tag; each tag runs `program` (a healthy server when None)."""
        found = canonical(repository)
        if found is None:
            raise ValueError(f"not a repository: {repository!r}")
        entry = self._repositories.setdefault(found[0], _Repository(program or serve()))
        entry.pull_seconds, entry.size = pull_seconds, size
        for tag in tags:
            entry.tags[tag] = program or serve()

    def require_login(self, host: str, secret: str = "regcred") -> None:  # noqa: S107 - the name of one
        """Pulls from that registry need the named Secret among imagePullSecrets."""
        self._unauthorized[host] = secret

    def make_unreachable(self, host: str, address: str = "10.20.0.15:443") -> None:
        self._unreachable[host] = address

    def make_reachable(self, host: str) -> None:
        self._unreachable.pop(host, None)

    def refuse(self, host: str, answer: str) -> None:
        """Every pull from that registry fails with this sentence, as one that limits their rate answers."""
        self._refusing[host] = answer

    def pull(self, image: str, secrets: frozenset[str] = frozenset()) -> Image | PullError:
        """The image, or why it cannot be had; `secrets` are the pull Secrets of the pod that exist."""
        found = canonical(image)
        if found is None:
            text = f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": '
            why = f": repository name ({path}) must be lowercase" if (path := _path_of(image)) != path.lower() else ""
            return PullError(f"{text}invalid reference format{why}", invalid_name=True)
        repository, tag = found
        reference = f"{repository}:{tag}"
        host, _, path = repository.partition("/")
        failed = f'failed to pull and unpack image "{reference}": failed to resolve reference "{reference}": '
        url = f"https://{host}/v2/{path}/manifests/{tag}"
        if host.endswith(_NO_HOST):
            text = f'failed to do request: Head "{url}": dial tcp: lookup {host} on {_RESOLVER}: no such host'
            return PullError(failed + text)
        if host in self._refusing:
            return PullError(self._refusing[host])
        if host in self._unreachable:
            text = f'failed to do request: Head "{url}": dial tcp {self._unreachable[host]}: i/o timeout'
            return PullError(failed + text, seconds=6.0)
        if host in self._unauthorized and self._unauthorized[host] not in secrets:
            scope = path.replace("/", "%2F")
            url = f"https://{host}/token?scope=repository%3A{scope}%3Apull&service={host}"
            text = "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to "
            return PullError(f"{failed}{text}{url}: 401 Unauthorized")
        entry = self._repositories.get(repository)
        if entry is None and host == "docker.io":
            text = "pull access denied, repository does not exist or may require authorization: server message: "
            return PullError(f"{failed}{text}insufficient_scope: authorization failed")
        if entry is None or tag not in entry.tags:
            return PullError(f"rpc error: code = NotFound desc = {failed}{reference}: not found")
        return Image(reference, entry.tags[tag], entry.pull_seconds, entry.size)
