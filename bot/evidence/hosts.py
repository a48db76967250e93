"""Hosts: which ones a container is told to talk to, by its environment and arguments, and which ones its log complains
about. Pure; called by `dependencies`. Of a value nothing but host and port is taken: the rest may be a password.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from k8s import fields, model

_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_NAME = rf"{_LABEL}(?:\.{_LABEL}){{0,8}}\.?"
_PORT = r"[0-9]{1,5}"
_HOST = re.compile(_NAME)
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.\-]{0,40}://(?:[^\s/@]{0,300}@)?([^\s/?#'\"<>)\]]{1,400})")
_PAIR = re.compile(rf"(?<![\w.@:/-])({_NAME}):({_PORT})(?![\w.-]|:\d)", re.IGNORECASE)
_DSN = re.compile(rf"(?i)\bhost=['\"]?({_NAME})['\"]?(?:[\s,;]{{1,3}}port=['\"]?({_PORT}))?")
_KEYS = re.compile(
    r"(?i)(?:^|_)(?:HOST|HOSTNAME|HOSTS|ADDR|ADDRESS|ADDRESSES|ENDPOINT|SERVER|SERVERS|SERVICE|BROKER|BROKERS|URL|URI"
    r"|UPSTREAM|BACKEND|PEERS)$"
)
"""Names of variables whose bare value is a host."""
_BIND = re.compile(r"(?i)(?:^|_)(?:LISTEN|BIND|ADVERTISED?|PUBLIC|SELF|POD|NODE|MY)(?:_|$)")
"""Names of variables that tell of the container itself."""
_TROUBLE = re.compile(
    r"(?i)refused|timed[ -]out|i/o timeout|timeout (?:exceeded|expired|waiting)|deadline exceeded|no such host"
    r"|unreachable|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|unknown ?host|could not translate|reset by peer|unavailable"
    r"|no route to host|not known|name resolution"
    r"|(?:fail|failed|failure|cannot|can't|could not|unable)\b.{0,60}?\b(?:connect|dial|resolve|look ?up|reach)"
)
_COMPLAINTS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?i)\blookup ({_NAME})(?: on |:|$)",
        rf"(?i)\b(?:ENOTFOUND|EAI_AGAIN)\s+({_NAME})(?::({_PORT}))?",
        rf"(?i)host name ['\"]({_NAME})['\"]",
        rf"(?i)UnknownHostException:? ({_NAME})",
        rf"(?i)resolve (?:host |hostname )?['\"]?({_NAME})['\"]?",
        rf"(?i)server at ['\"]({_NAME})['\"](?: \([^)]{{1,60}}\))?, port ({_PORT})",
        rf"(?i)\bhost=['\"]({_NAME})['\"], port=({_PORT})",
    )
)
"""A host by itself, as resolvers and drivers name it: Go, Node, libpq, Java, Python."""
_NO_HOST = re.compile(r"\.(?:go|py|js|ts|mjs|java|rb|rs|cpp|c|php|cs|kt|scala)$")
"""`main.go:12` is a place in a program."""
_MEMBER = re.compile(r"-[0-9]{1,5}$")
"""How the name of a StatefulSet's pod ends."""
LINES = 400


@dataclass(frozen=True, slots=True)
class Named:
    """A host that a container talks to. `port` 0: none is named."""

    host: str
    port: int
    by: Literal["log", "environment"]


def config_maps(container: model.Json) -> list[str]:
    """The names of the ConfigMaps that its environment comes from, in their order."""
    whole = (fields.text(entry, "configMapRef", "name") for entry in fields.items(container, "envFrom"))
    keys = (fields.text(entry, "valueFrom", "configMapKeyRef", "name") for entry in fields.items(container, "env"))
    return list(dict.fromkeys(name for name in (*whole, *keys) if name))


def environment(container: model.Json, configured: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Variable → value, of plain values and of what was read of ConfigMaps (`configured`); nothing from a Secret.

    What stands in `env` goes before what comes from `envFrom`, and of that the last:
    https://kubernetes.io/docs/tasks/configure-pod-container/configure-pod-configmap/
    """
    found: dict[str, str] = {}
    for entry in fields.items(container, "envFrom"):
        given = configured.get(fields.text(entry, "configMapRef", "name"), {})
        found |= {fields.text(entry, "prefix") + key: value for key, value in given.items()}
    for entry in fields.items(container, "env"):
        name, key = fields.text(entry, "name"), fields.mapping(entry, "valueFrom", "configMapKeyRef")
        kept = configured.get(fields.text(key, "name"), {}).get(fields.text(key, "key"), "")
        found[name] = fields.text(entry, "value") or kept
    return {name: value for name, value in found.items() if value}


def of_container(container: model.Json, configured: Mapping[str, Mapping[str, str]] | None = None) -> list[Named]:
    """By its environment and arguments. `configured`: the data of the ConfigMaps that it may be read of, by name."""
    env = environment(container, configured or {})
    found = [one for key, value in env.items() if not _BIND.search(key) for one in _of_variable(key, value, env)]
    for key in ("command", "args"):
        for text in container.get(key) or ():
            found += _of_text(str(text)[:2000])
    return _unique(found)


def of_log(lines: Iterable[str]) -> list[Named]:
    """By lines that sound like trouble with a connection, the last ones first."""
    found: list[Named] = []
    for line in reversed(list(lines)):
        if not _TROUBLE.search(line[:LINES]):
            continue
        text = line[:LINES]
        for pattern in _COMPLAINTS:
            for match in pattern.finditer(text):
                port = match[2] if pattern.groups > 1 else None
                found += _named(match[1], port, "log")
        # The address of the resolver that was asked is not what is missing.
        rest = re.sub(r" on [0-9a-f.:\[\]]{3,60}:53\b", "", text)
        found += [Named(one.host, one.port, "log") for one in _of_text(rest)]
    return _unique(found)


def _of_variable(key: str, value: str, env: Mapping[str, str]) -> Iterator[Named]:
    named = _KEYS.search(key) is not None
    found = list(_of_text(value[:2000], pairs=named))
    if not found and named:
        port = env.get(re.sub(r"(?i)(HOSTNAME|HOST|ADDR|ADDRESS|SERVER|SERVICE)$", "PORT", key), "")
        for part in value[:2000].split(","):
            found += _named(part.strip(), port if port.isascii() and port.isdigit() else None, "environment")
    yield from found


def _of_text(text: str, *, pairs: bool = True) -> Iterator[Named]:
    """`pairs`: whether a word and a number with a colon between them are host and port, as they are not in
    `nginx:1`."""
    for match in _URL.finditer(text):
        for part in match[1].rpartition("@")[2].split(","):
            host, _, port = part.partition(":")
            yield from _named(host, port or None, "environment")
    bare = _URL.sub(" ", text)
    for match in _DSN.finditer(bare):
        yield from _named(match[1], match[2], "environment")
    for match in _PAIR.finditer(bare):
        if not pairs and "." not in match[1]:
            continue
        yield from _named(match[1], match[2], "environment")


def _named(host: str, port: str | None, by: Literal["log", "environment"]) -> Iterator[Named]:
    name = host.lower().rstrip(".")
    number = int(port) if port and port.isascii() and port.isdigit() and len(port) < 6 else 0
    told = _HOST.fullmatch(name) is not None and not name.replace(".", "").isdigit() and not _NO_HOST.search(name)
    if (told and name != "localhost" and any(letter.isalpha() for letter in name)) or _is_address(name):
        yield Named(name, number if number < 65536 else 0, by)


def _is_address(name: str) -> bool:
    try:
        found = ipaddress.ip_address(name)
    except ValueError:
        return False
    return not (found.is_loopback or found.is_unspecified)


def _unique(found: Iterable[Named]) -> list[Named]:
    """Each host once: with a port rather than without."""
    kept: dict[str, Named] = {}
    for one in found:
        if one.host not in kept or (one.port and not kept[one.host].port):
            kept[one.host] = one
    return list(kept.values())


def services(host: str, namespace: str) -> list[tuple[str, str]]:
    """The Services (namespace, name) that a host may mean, likeliest first; none where it is outside of the cluster.

    https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/: `db`, `db.payments`, `db.payments.svc`,
    `db.payments.svc.cluster.local`, and a pod of a headless Service, `db-0.db`, before any of these.
    """
    parts = host.split(".")
    if "svc" in parts[1:]:
        place = parts.index("svc", 1)
        return [(parts[place - 1], parts[place - 2])] if place >= 2 else []
    if len(parts) == 1:
        return [(namespace, parts[0])]
    member = _MEMBER.search(parts[0]) is not None
    if len(parts) == 2:
        return [(parts[1], parts[0]), *([(namespace, parts[1])] if member else [])]
    return [(parts[2], parts[1])] if len(parts) == 3 and member else []


def sure(host: str) -> bool:
    """Whether it can mean nothing but a Service: a single label, or `….svc`."""
    return "." not in host or "svc" in host.split(".")[1:]
