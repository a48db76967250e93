"""Recordings: what a real API server gave for a case, as a file of recorded/. Written by `record`, read by the tests.

Files are as the server answered but for what says more of the machine than of Kubernetes: its host name, the ids of the
node's machine (`_MASKED`), its kernel, its resolver and its list of images.
"""

import json
import re
import socket
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.grounds.admin import Object
from tests.likeness import cases, playing
from tests.likeness.stage import Answer, Taken

FOLDER = Path(__file__).parent / "recorded"
_RESOLVER = re.compile(r"(?<= on )\d+\.\d+\.\d+\.\d+:53\b")
_MASKED = {"machineID", "systemUUID", "bootID", "kernelVersion"}


def path(case: str) -> Path:
    return FOLDER / f"{case}.json"


def load(case: str) -> Taken:
    """A recording; FileNotFoundError where the case was never recorded."""
    found = json.loads(path(case).read_text())
    answers = {label: Answer(**answer) for label, answer in found["answers"].items()}
    return Taken(datetime.fromisoformat(found["taken_at"]), found["namespace"], found["lists"], answers)


def save(case: str, taken: Taken) -> None:
    written: Object = {
        "case": case,
        "taken_at": taken.taken_at.isoformat(),
        "namespace": taken.namespace,
        "lists": {plural: _impersonal(listed) for plural, listed in taken.lists.items()},
        "answers": {label: {"status": each.status, "body": each.body} for label, each in taken.answers.items()},
    }
    FOLDER.mkdir(exist_ok=True)
    text = json.dumps(written, indent=1, ensure_ascii=False) + "\n"
    text = re.sub(rf"\b{re.escape(socket.gethostname())}\b", "control-plane", _RESOLVER.sub("10.96.0.10:53", text))
    path(case).write_text(text)


def _impersonal(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: "masked" if name in _MASKED else _impersonal(each)
            for name, each in value.items()
            if not (name == "images" and isinstance(each, list))
        }
    return [_impersonal(each) for each in value] if isinstance(value, list) else value


async def record(names: Sequence[str], kubeconfig: Path) -> list[str]:
    """Records these cases (all where none is named), some side by side; returns what could not be recorded, and why."""
    found = await playing.play_all([cases.BY_NAME[name] for name in names] or cases.CASES, kubeconfig)
    failures = []
    for name, taken in found.items():
        if isinstance(taken, Taken):
            save(name, taken)
        else:
            failures.append(f"{name}: {taken}")
    return failures
