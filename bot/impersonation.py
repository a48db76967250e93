"""The impersonation file: from its text to `k8s.identities.Identities`, or to every fault in it with its line.

Called by `bot.settings` when the settings are read, and by `watchkeeper rbac --impersonation-file`. A file with a fault
gives nobody at all, and nothing starts: in whose name a cluster is changed is not guessed. docs/impersonation.md.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from bot import policies
from k8s import identities, model

VARIABLE = "WATCHKEEPER_IMPERSONATION_FILE"
MOST_CHARACTERS = 262_144
_KEYS = ("version", "required", "people")
_PERSON = ("user", "groups")
_SLACK_USER = re.compile(r"[UW][A-Z0-9]{2,}")
_MOST_NAME = 253
_Path = tuple[str | int, ...]


def load(path: Path | None) -> tuple[identities.Identities, tuple[str, ...]]:
    """Who is who by the file, nobody without one; and all faults, one line each, that begin with the variable."""
    if path is None:
        return identities.OFF, ()
    found, faults = of_file(path)
    return found, tuple(f"{VARIABLE}: {fault}" for fault in faults)


def of_file(path: Path) -> tuple[identities.Identities, tuple[str, ...]]:
    """Who is who by the file, or nobody and all faults, one line each."""
    try:
        found, faults = parse(policies.read(path), path.name)
    except policies.Unreadable as error:
        return identities.OFF, (str(error),)
    return found, tuple(map(str, faults))


def parse(text: str, source: str) -> tuple[identities.Identities, tuple[policies.Fault, ...]]:
    """Who is who by this text, or nobody and all that is wrong with it. Never raises."""
    if len(text) > MOST_CHARACTERS:
        fault = f"the file is longer than {MOST_CHARACTERS:,} characters: write less"
        return identities.OFF, (policies.Fault(source, 1, fault),)
    reading = policies.Reading(source)
    try:
        data = reading.data(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = str(getattr(error, "problem", "") or "it cannot be read").strip()
        line = mark.line + 1 if mark else 1
        return identities.OFF, (policies.Fault(source, line, f"this is not YAML: {problem}"),)
    except RecursionError:
        return identities.OFF, (
            policies.Fault(source, 1, "it is nested too deeply: docs/impersonation.md has an example"),
        )
    found = _File(reading).read(data)
    if reading.faults:
        return identities.OFF, tuple(sorted(dict.fromkeys(reading.faults), key=lambda fault: fault.line))
    return found, ()


def name_fault(name: str) -> str:
    """Why nobody may be impersonated by this name; empty where one may.

    The cluster's own names and `*` are refused: by those a bot that writes in people's names would be its
    administrator. What no header can carry is refused as well.
    """
    if name.strip().lower().startswith("system:"):
        return "names that begin with system: are the cluster's own: name a person or a group of people"
    if "*" in name:
        return "there are no globs: name each user and group"
    if not name or name != name.strip() or not name.isascii() or not name.isprintable() or len(name) > _MOST_NAME:
        return f"it is no name: write up to {_MOST_NAME} plain characters, such as ann@example.com"
    return ""


class _File:
    """The form of the file, checked by hand: it has five keys."""

    def __init__(self, reading: policies.Reading) -> None:
        self._reading = reading

    def read(self, data: object) -> identities.Identities:
        if not isinstance(data, dict):
            if not self._reading.faults:
                self._fault((), "this is no impersonation file: begin with `version: 1`, as docs/impersonation.md says")
            return identities.OFF
        self._known(data, (), _KEYS)
        version = data.get("version")
        if version != 1 or version is True:
            self._fault(("version",), "`version` is missing or unknown: write `version: 1`")
        required = data.get("required", True)
        if not isinstance(required, bool):
            self._fault(("required",), "`required` is wrong: write true or false")
        people = data.get("people")
        if not isinstance(people, dict) or not people:
            self._fault(("people",), "`people` names nobody: write Slack user ids, each with its `user`")
            return identities.OFF
        found = {str(slack): self._person(str(slack), entry) for slack, entry in people.items()}
        return identities.Identities(found, bool(required))

    def _person(self, slack: str, entry: object) -> model.Identity:
        path: _Path = ("people", slack)
        if _SLACK_USER.fullmatch(slack) is None:
            self._fault(path, f"`{slack}` is no Slack user id: write one such as U0123456789")
        if not isinstance(entry, dict):
            self._fault(path, f"`{slack}` is wrong: write `user: ann@example.com` below it")
            return model.Identity("")
        self._known(entry, path, _PERSON)
        user = self._name(entry.get("user"), (*path, "user"))
        groups = entry.get("groups", [])
        if not isinstance(groups, list) or ("groups" in entry and not groups):
            self._fault((*path, "groups"), "`groups` is wrong: write a list of names, or leave the key out")
            groups = []
        named = [self._name(group, (*path, "groups", number)) for number, group in enumerate(groups)]
        return model.Identity(user, tuple(dict.fromkeys(named)))

    def _name(self, value: object, path: _Path) -> str:
        key = next(part for part in reversed(path) if isinstance(part, str))
        fault = name_fault(value) if isinstance(value, str) else "write a text, such as ann@example.com"
        if fault:
            self._fault(path, f"`{key}` is wrong: {fault}")
        return str(value)

    def _known(self, data: Mapping[str, object], path: _Path, keys: Sequence[str]) -> None:
        for key in data:
            if key not in keys:
                near = difflib.get_close_matches(str(key), keys, 1)
                hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(keys)}"
                self._fault((*path, key), f"`{key}` is no key here ({hint})")

    def _fault(self, path: _Path, message: str) -> None:
        self._reading.fault(self._reading.line(path), message)
