"""The hostile texts of `texts.yaml`, decoded into what stands in the cluster, and as the evidence that holds them."""

import base64
import codecs
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bot.domain import diagnoses

_FULLWIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
_SOURCES: dict[str, diagnoses.Source] = {
    "log": "previous-log",
    "event": "events",
    "annotation": "owner",
    "image": "rollout",
    "name": "network",
    "key": "dependencies",
    "runbook": "runbook",
    "dependency": "dependencies",
    "autoscaler": "limits",
    "budget": "limits",
    "label": "scheduling",
}


@dataclass(frozen=True, slots=True)
class Hostile:
    place: str
    text: str

    @property
    def evidence(self) -> diagnoses.Evidence:
        """A piece with the text in its title and in its body."""
        title = f"From a {self.place}: {self.text.splitlines()[0][:80]}"
        return diagnoses.Evidence(4, _SOURCES[self.place], title, f"first line\n{self.text}\nlast line")


def everything() -> tuple[Hostile, ...]:
    found: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "texts.yaml").read_text())
    return tuple(Hostile(one["place"], _encoded(one["text"], one.get("encoded", ""))) for one in found)


def _encoded(text: str, how: str) -> str:
    match how:
        case "base64":
            return base64.b64encode(text.encode()).decode()
        case "hex":
            return text.encode().hex()
        case "rot13":
            return codecs.encode(text, "rot13")
        case "url":
            return urllib.parse.quote(text)
        case "fullwidth":
            return text.translate(_FULLWIDTH)
        case _:
            return text
