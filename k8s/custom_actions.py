"""Actions of somebody's own: Python entry points of other packages, held within one frame whatever they do.

`bot.plugins` makes a `Guarded` of each when the settings are read and installs it here; `k8s.actions.custom` asks it.
The frame: one merge patch of the incident's own workload, and in it nothing but what `patch_fault` lets pass. That is
a list of what may be changed, so that a field that nobody here has heard of is refused: no container, volume, account,
selector or number of replicas can be touched. docs/custom-actions.md tells people all this.
"""

import copy
import math
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, Protocol, get_args

import msgspec

from k8s import model

KINDS = ("Deployment", "StatefulSet", "DaemonSet")
MARK = "watchkeeper.io/custom-action"
"""The annotation that every such patch sets: who looks at the object sees what changed it."""
SECONDS = 2.0
"""For one answer of such an action. One that hangs is left behind in its thread."""
MOST_BYTES = 16_384
MOST_PARAMETERS = 10
LONGEST_VALUE = 200
Risk = Literal["medium", "high"]
Parameter = str | tuple[int, int] | tuple[str, ...]
"""A regular expression that the whole value has to fit; the least and the greatest whole number; or the choices."""

_NAME = re.compile(r"custom-[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?")
_PARAMETER = re.compile(r"[a-z][a-z0-9_]{0,30}")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,9})")
_PLAIN = re.compile(r"[^\x00-\x1f\x7f]*")


class Plugin(Protocol):
    """What an entry point of the group `watchkeeper.actions` names: a module, or an object, with these."""

    name: str
    """`custom-…`, as policies and cards say it."""
    kinds: Sequence[str]
    words: str
    """What it does, as a sentence without the workload: "Lets pods drain for longer"."""
    never: str
    """What it must never be used for: one sentence."""
    risk: Risk
    parameters: Mapping[str, Parameter]

    def problems(self, workload: model.Json, params: Mapping[str, str]) -> Sequence[str]:
        """Why it cannot or must not be done now: sentences."""
        ...

    def patch(self, workload: model.Json, params: Mapping[str, str]) -> model.Json:
        """The JSON merge patch of the workload. The same object and parameters must give the same patch."""
        ...

    def inverse(self, workload: model.Json, params: Mapping[str, str]) -> Mapping[str, str] | None:
        """The parameters with which the same action takes it back; None where nothing does."""
        ...


class Faulty(Exception):
    """An action that does not keep to the contract, or that failed; the text says how."""


class Guarded:
    """One plugin, whose every answer is checked. Raises Faulty where it does not keep to the contract."""

    def __init__(self, plugin: Any, source: str) -> None:
        self.source = source
        self.name = _text(plugin, "name")
        self.words = _text(plugin, "words")
        self.never = _text(plugin, "never")
        if _NAME.fullmatch(self.name) is None:
            raise Faulty(f"its name {self.name[:60]!r} is none such as custom-drain-longer")
        self.kinds = _kinds(getattr(plugin, "kinds", None))
        if getattr(plugin, "risk", None) not in get_args(Risk):
            raise Faulty("its risk is neither medium nor high")
        self.risk: Risk = plugin.risk
        self.parameters = _parameters(getattr(plugin, "parameters", None))
        for method in ("problems", "patch", "inverse"):
            if not callable(getattr(plugin, method, None)):
                raise Faulty(f"it has no function {method}")
        self._plugin = plugin

    def fault(self, parameters: tuple[tuple[str, str], ...]) -> str:
        """What is wrong with these parameters; empty where nothing is."""
        if parameters != tuple(sorted(dict(parameters).items())):
            return "they are not sorted by name, each once"
        given = dict(parameters)
        if given.keys() != self.parameters.keys():
            return f"there must be {', '.join(sorted(self.parameters)) or 'none'}"
        for name, value in parameters:
            if len(value) > LONGEST_VALUE or _PLAIN.fullmatch(value) is None or not _fits(value, self.parameters[name]):
                return f"{value[:40]!r} is no {name}"
        return ""

    def problems(self, workload: model.Json, parameters: tuple[tuple[str, str], ...]) -> list[str]:
        """Its own objections. Raises Faulty."""
        found = self._ask("problems", workload, parameters)
        if not isinstance(found, list | tuple) or not all(isinstance(each, str) for each in found):
            raise Faulty("its problems are no list of sentences")
        return [" ".join(each.split())[:300] for each in found[:5] if each.strip()]

    def patch(self, workload: model.Json, parameters: tuple[tuple[str, str], ...]) -> model.Json:
        """Its patch, with the mark, after all checks. Raises Faulty."""
        found = self._ask("patch", workload, parameters)
        if reason := patch_fault(found):
            raise Faulty(f"its patch {reason}")
        body: model.Json = msgspec.json.decode(msgspec.json.encode(found))
        annotations = {**body.get("metadata", {}).get("annotations", {}), MARK: self.name}
        return {**body, "metadata": {**body.get("metadata", {}), "annotations": annotations}}

    def inverse(
        self, workload: model.Json, parameters: tuple[tuple[str, str], ...]
    ) -> tuple[tuple[str, str], ...] | None:
        """The parameters of the way back. Raises Faulty."""
        found = self._ask("inverse", workload, parameters)
        if found is None:
            return None
        if not isinstance(found, Mapping) or not all(isinstance(each, str) for pair in found.items() for each in pair):
            raise Faulty("its inverse is no mapping of texts")
        back = tuple(sorted(found.items()))
        if reason := self.fault(back):
            raise Faulty(f"the parameters of its inverse cannot be: {reason}")
        return back

    def _ask(self, method: str, workload: model.Json, parameters: tuple[tuple[str, str], ...]) -> Any:
        """Copies go in, so that nothing it does to them is seen; whatever it raises is Faulty."""
        asked = getattr(self._plugin, method)
        return _bounded(lambda: asked(copy.deepcopy(workload), dict(parameters)), method)


_INSTALLED: dict[str, Guarded] = {}


def install(actions: Iterable[Guarded]) -> None:
    """Adds these, in place of others of the same name. Once, when the settings are read; nothing is ever taken out."""
    _INSTALLED.update((each.name, each) for each in actions)


def installed() -> Mapping[str, Guarded]:
    return MappingProxyType(_INSTALLED)


# --- what a patch may hold


_ANY = "any"
_TEXTS = "texts"
_META = {"annotations": _TEXTS, "labels": _TEXTS}
_POD = dict.fromkeys(
    (
        *("affinity", "enableServiceLinks", "nodeSelector", "preemptionPolicy", "priorityClassName", "readinessGates"),
        *("terminationGracePeriodSeconds", "tolerations", "topologySpreadConstraints"),
    ),
    _ANY,
)
_SPEC: Mapping[str, Any] = {
    **dict.fromkeys(("minReadySeconds", "paused", "progressDeadlineSeconds", "revisionHistoryLimit"), _ANY),
    **dict.fromkeys(("strategy", "updateStrategy"), _ANY),
    "template": {"metadata": _META, "spec": _POD},
}
ALLOWED: Mapping[str, Any] = {"metadata": _META, "spec": _SPEC}
"""All that a patch may hold. What is not here cannot be touched: containers (images, commands, variables), volumes,
service accounts, host namespaces, security contexts, selectors, replicas, owners, finalizers."""
_GUARDED = re.compile(
    r"([a-z0-9.-]+\.)?(watchkeeper\.io|argocd\.argoproj\.io|argoproj\.io|fluxcd\.io|helm\.sh|kubernetes\.io|k8s\.io|"
    r"istio\.io|linkerd\.io|dapr\.io|hashicorp\.com|openshift\.io|kyverno\.io|cilium\.io)/.*"
)
_KEPT = ("kubectl.kubernetes.io/restartedAt", "app.kubernetes.io/component")
"""Of the guarded keys, those that say nothing about who owns, protects or confines the pods."""


def patch_fault(patch: object) -> str:
    """Why this must not be written, as words that go on after "its patch"; empty where it may be."""
    try:
        size = len(msgspec.json.encode(patch))
    except (TypeError, ValueError, RecursionError, OverflowError):
        return "is not JSON"
    if not isinstance(patch, dict) or not patch:
        return "is no object, or an empty one"
    if size > MOST_BYTES:
        return f"is larger than {MOST_BYTES} bytes"
    return _disallowed(patch, ALLOWED, "")


def _disallowed(found: object, allowed: Any, where: str) -> str:
    if allowed == _ANY:
        return "" if _sane(found) else f"has at {where} what is no plain JSON"
    if not isinstance(found, dict):
        return f"takes away or replaces {where} as a whole"
    for key, value in found.items():
        path = f"{where}.{key}".lstrip(".")[:120]
        if not isinstance(key, str):
            return f"has a key at {where} that is no text"
        if allowed == _TEXTS:
            if reason := _mark_fault(key, value, path):
                return reason
        elif key not in allowed:
            return f"touches {path}, which no custom action may"
        elif reason := _disallowed(value, allowed[key], path):
            return reason
    return ""


def _mark_fault(key: str, value: object, path: str) -> str:
    """Of an annotation or a label."""
    if value is not None and not isinstance(value, str):
        return f"has at {path} what is no text"
    if _GUARDED.fullmatch(key.lower()) and key not in _KEPT:
        return f"touches {path}, which says who owns or protects the object"
    return ""


def _sane(value: object) -> bool:
    """Plain JSON throughout: what is encoded and decoded again is the same."""
    match value:
        case dict():
            return all(isinstance(key, str) and _sane(each) for key, each in value.items())
        case list():
            return all(map(_sane, value))
        case float():
            return math.isfinite(value)
        case _:
            return value is None or isinstance(value, str | int)


def merged(obj: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    found = dict(obj) if isinstance(obj, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), value)
    return found


# --- the contract


def _text(plugin: Any, attribute: str) -> str:
    found = getattr(plugin, attribute, None)
    if not isinstance(found, str) or not found.strip() or len(found) > 300 or _PLAIN.fullmatch(found) is None:
        raise Faulty(f"its {attribute} is no text of one line")
    return found.strip()


def _kinds(found: object) -> tuple[str, ...]:
    if not isinstance(found, list | tuple) or not found or not all(kind in KINDS for kind in found):
        raise Faulty(f"its kinds are no list of {', '.join(KINDS)}")
    return tuple(dict.fromkeys(found))


def _parameters(found: object) -> Mapping[str, Parameter]:
    if not isinstance(found, Mapping) or len(found) > MOST_PARAMETERS:
        raise Faulty(f"its parameters are no mapping of at most {MOST_PARAMETERS}")
    kept: dict[str, Parameter] = {}
    for name, rule in found.items():
        if not isinstance(name, str) or _PARAMETER.fullmatch(name) is None:
            raise Faulty(f"{name!r} is no parameter's name")
        kept[name] = _rule(name, rule)
    return MappingProxyType(kept)


def _rule(name: str, rule: object) -> Parameter:
    match rule:
        case str():
            try:
                re.compile(rule)
            except re.error:
                raise Faulty(f"the rule of its parameter {name} is no regular expression") from None
            return rule
        case [int(least), int(most)] if least <= most:
            return (least, most)
        case [str(), *_] if all(isinstance(each, str) for each in rule):
            return tuple(str(each) for each in rule)
        case _:
            raise Faulty(f"the rule of its parameter {name} is no regular expression, no bounds and no choices")


def _fits(value: str, rule: Parameter) -> bool:
    if isinstance(rule, str):
        return re.fullmatch(rule, value) is not None
    numbers = [each for each in rule if isinstance(each, int)]
    if len(numbers) == 2:
        return _NUMBER.fullmatch(value) is not None and numbers[0] <= int(value) <= numbers[1]
    return value in rule


def _bounded(ask: Callable[[], Any], method: str) -> Any:
    """In a thread, so that one that hangs is left behind. Raises Faulty."""
    answers: list[Any] = []
    failures: list[str] = []

    def run() -> None:
        try:
            answers.append(ask())
        except (Exception, SystemExit) as error:  # noqa: BLE001 - other people's code
            failures.append(type(error).__name__)

    thread = threading.Thread(target=run, name=f"custom-action-{method}", daemon=True)
    thread.start()
    thread.join(SECONDS)
    if failures:
        raise Faulty(f"its {method} failed ({failures[0]})")
    if not answers:
        raise Faulty(f"its {method} did not answer within {SECONDS:g} s")
    return answers[0]
