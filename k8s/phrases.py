"""How findings write the cluster's texts, times and quantities, so that every family says them alike.

Pure. Called by `k8s.containers`, `k8s.symptoms` and `k8s.detectors`, and by `bot` where it writes the same.
"""

import re
from datetime import timedelta

TEXT_LIMIT = 300
"""Characters of the cluster's own words inside a finding."""


def clip(text: str | None, limit: int = TEXT_LIMIT) -> str:
    """The cluster's words on one line, cut between words only: half a token would slip past redaction."""
    head = (text or "")[: limit * 8]
    line = " ".join(head.split())
    if len(line) <= limit and len(head) == len(text or ""):
        return line
    kept = line[: limit + 1].rpartition(" ")[0] if len(line) > limit else line.rpartition(" ")[0]
    return f"{kept} …" if kept else "…"


def registry(image: str) -> str:
    """The host that an image reference names, else Docker Hub (https://github.com/distribution/reference)."""
    first, slash, _ = image.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    return first if named else "docker.io"


def duration(span: timedelta) -> str:
    """A length of time as a person says it: `42 s`, `7 min`, `3 h`, `5 d`."""
    total = int(span.total_seconds())
    if total < 120:
        return f"{total} s"
    if total < 7200:
        return f"{total // 60} min"
    return f"{total // 3600} h" if total < 172_800 else f"{total // 86_400} d"


def counted(number: int, singular: str) -> str:
    """`1 restart`, `3 restarts`."""
    return f"{number} {singular}" if number == 1 else f"{number} {singular}s"


_QUANTITY = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?")
_FACTORS = {"m": 0.001, "": 1.0} | {
    f"{letter}{suffix}": float(base**power)
    for suffix, base in (("", 1000), ("i", 1024))
    for power, letter in enumerate("KMGTPE", start=1)
}


def quantity(value: object) -> float | None:
    """A resource quantity in its base unit (cores, bytes); None for what is none.

    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
    """
    if isinstance(value, int) and abs(value) >= 10**15:
        return None
    match = _QUANTITY.fullmatch(str(value).strip()) if isinstance(value, str | int | float) else None
    if match is None:
        return None
    suffix = match[2] or ""
    return float(match[1]) * _FACTORS["K" if suffix == "k" else suffix]


def cores(value: float) -> str:
    """CPU as it is written in a manifest: `250m`, `2`."""
    return f"{value:g}" if value >= 1 and value == int(value) else f"{round(value * 1000)}m"


def size(value: float) -> str:
    """Memory as it is written in a manifest: `512Mi`, `2Gi`."""
    for factor, suffix in ((1024**3, "Gi"), (1024**2, "Mi"), (1024, "Ki")):
        if value >= factor and (value % factor == 0 or value >= 10 * factor):
            return f"{round(value / factor)}{suffix}"
    return f"{round(value)}"
