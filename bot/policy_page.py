"""`watchkeeper policy`: a policy in plain sentences for a terminal and as JSON, and whether a file is one.

Pure but for the file that `check` is given; `bot.__main__` prints what comes out.
"""

import textwrap
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from bot import errors, policies
from k8s import policy, policy_words

_LEAST_WIDTH, _MOST_WIDTH = 60, 160


def text(rules: policy.Policy, now: datetime, *, width: int = 100) -> str:
    """All that it says, with what should be known of it at the end."""
    width = max(_LEAST_WIDTH, min(width, _MOST_WIDTH))
    lines: list[str] = []
    for part in policy_words.told(rules, now):
        lines += [part.title, *(line for said in part.lines for line in _item(said, width)), ""]
    for concern in policy_words.concerns(rules):
        lines += textwrap.wrap(f"note: {concern}", width, subsequent_indent="      ")
    lines.append(f"hash: {rules.hash[:16]}")
    return "\n".join(lines) + "\n"


def _item(said: str, width: int) -> list[str]:
    """Addresses and globs are never broken."""
    return textwrap.wrap(
        said, width, initial_indent="  - ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )


def document(rules: policy.Policy, file: Path | None) -> dict[str, Any]:
    """The same for programs, in the canonical form that the hash is made of: times as ISO 8601 durations."""
    return {"hash": rules.hash, "file": None if file is None else str(file), "policy": policy.canonical(rules)}


def check(
    file: Path | None, held: Callable[[Path | None], policy.Policy], now: datetime, *, width: int = 100
) -> tuple[int, str]:
    """The exit code and what is printed: faults with their lines, or what the file means beside the settings.

    `held` is the policy that holds with this file. Raises ConfigurationError where the file cannot be read.
    """
    if file is None:
        head = f"No policy file is set ({policies.VARIABLE}): the shipped default holds."
        return 0, f"{head}\n\n{text(held(None), now, width=width)}"
    try:
        _, faults = policies.parse(policies.read(file), file.name)
    except policies.Unreadable as error:
        raise errors.ConfigurationError(f"{file}: {error}") from error
    if faults:
        return 1, "".join(f"{fault}\n" for fault in faults)
    head = f"{file.name} is a policy. With the settings that hold here it means:"
    return 0, f"{head}\n\n{text(held(file), now, width=width)}"
