"""Small helpers for API objects held as plain JSON dicts: names, owners, conditions, times, quantities, hashes.

Everything in `demo.cluster` calls these; nothing here keeps state.
"""

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

Object = dict[str, Any]

_encoder, _decoder = msgspec.json.Encoder(), msgspec.json.Decoder()
_SAFE = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIXES = {
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    "": 1.0,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
    "Pi": 2.0**50,
}


def clone(value: Any) -> Any:
    """A deep copy of JSON data, by way of its text: many times faster than copy.deepcopy."""
    return _decoder.decode(_encoder.encode(value)) if isinstance(value, (dict, list)) else value


def rfc3339(moment: datetime) -> str:
    """metav1.Time: UTC to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_nano(moment: datetime) -> str:
    """The timestamp that a container runtime puts before each log line."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


def rfc3339_micro(moment: datetime) -> str:
    """metav1.MicroTime: UTC to the microsecond."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """The reverse of `rfc3339`; fractions are accepted."""
    return datetime.fromisoformat(text)


def name_of(obj: Object) -> str:
    return str(obj["metadata"].get("name", ""))


def namespace_of(obj: Object) -> str:
    return str(obj["metadata"].get("namespace") or "")


def uid_of(obj: Object) -> str:
    return str(obj["metadata"].get("uid", ""))


def labels_of(obj: Object) -> dict[str, str]:
    return obj["metadata"].get("labels") or {}


def annotations_of(obj: Object) -> dict[str, str]:
    return obj["metadata"].get("annotations") or {}


def is_deleting(obj: Object) -> bool:
    return bool(obj["metadata"].get("deletionTimestamp"))


def controller_of(obj: Object) -> Object | None:
    """The owner reference with controller=true, if there is one."""
    for reference in obj["metadata"].get("ownerReferences") or []:
        if reference.get("controller"):
            found: Object = reference
            return found
    return None


def owner_reference(owner: Object, api_version: str, kind: str) -> Object:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": name_of(owner),
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def condition(obj: Object, kind: str) -> Object | None:
    """The status condition of that type."""
    for each in (obj.get("status") or {}).get("conditions") or []:
        if each.get("type") == kind:
            found: Object = each
            return found
    return None


def disrupted(pod: Object, now: str, reason: str, message: str) -> Object:
    """The status of a pod with the condition DisruptionTarget, which says who ends it.

    https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
    """
    status: Object = clone(pod.get("status") or {})
    kept = [each for each in status.get("conditions") or [] if each["type"] != "DisruptionTarget"]
    condition: Object = {"type": "DisruptionTarget", "observedGeneration": pod["metadata"].get("generation", 1)}
    condition |= {"status": "True", "lastProbeTime": None, "lastTransitionTime": now}
    status["conditions"] = [*kept, condition | {"reason": reason, "message": message}]
    return status


def is_true(obj: Object, kind: str) -> bool:
    found = condition(obj, kind)
    return found is not None and found["status"] == "True"


def pod_is_ready(pod: Object) -> bool:
    return is_true(pod, "Ready")


def pod_is_active(pod: Object) -> bool:
    """Neither finished nor being deleted, as controllers count pods."""
    return pod_phase(pod) not in ("Succeeded", "Failed") and not is_deleting(pod)


def pod_phase(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase", "Pending"))


def containers_of(spec: Object) -> list[Object]:
    """Init containers first, then the main ones."""
    return [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]


def quantity(value: Any) -> float:
    """A resource.Quantity as a float: '250m' -> 0.25, '64Mi' -> 67108864.0. ValueError when it is none."""
    text = str(value)
    digits = text.rstrip("numkMGTPKi")
    suffix = text[len(digits) :]
    if suffix not in _SUFFIXES:
        raise ValueError(f"quantities must match the regular expression: {text!r}")
    return float(digits) * _SUFFIXES[suffix]


def canonical_quantity(text: str) -> str:
    """A resource.Quantity as the server writes it: whole, with the largest suffix. '1000' -> '1k', '0.5' -> '500m'.

    '1024Mi' -> '1Gi'; powers of two and of ten stay apart, and an exponent stays one. ValueError when it is none.
    Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
    """
    digits = text.rstrip("numkMGTPEKi")
    suffix = text[len(digits) :]
    if suffix not in _SUFFIXES or "e" in digits.lower():
        return text
    binary = suffix.endswith("i")
    units = {name: Decimal(repr(size)) for name, size in _SUFFIXES.items() if name.endswith("i") == binary or not name}
    value = Decimal(digits) * units[suffix]
    if not value:
        return "0"
    for name, size in sorted(units.items(), key=lambda unit: -unit[1]):
        if value % size == 0:
            return f"{value / size:f}".partition(".")[0] + name
    return text


def format_cpu(cores: float) -> str:
    milli = math.ceil(round(cores * 1000, 6))
    return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"


def format_bytes(amount: float) -> str:
    whole = int(amount)
    for suffix in ("Gi", "Mi", "Ki"):
        unit = int(_SUFFIXES[suffix])
        if whole and whole % unit == 0:
            return f"{whole // unit}{suffix}"
    return str(whole)


def format_amount(resource: str, amount: float) -> str:
    """A quantity in its canonical form for the named resource ('cpu', 'requests.memory', 'pods')."""
    if resource.endswith("cpu"):
        return format_cpu(amount)
    if resource.endswith(("memory", "storage")):
        return format_bytes(amount)
    return str(int(amount))


def int_or_percent(value: Any, total: int, *, round_up: bool) -> int:
    """intstr.GetScaledValueFromIntOrPercent."""
    if isinstance(value, str) and value.endswith("%"):
        exact = total * int(value[:-1]) / 100
        return math.ceil(exact) if round_up else math.floor(exact)
    return int(value)


def fnv32a(data: bytes) -> int:
    result = 0x811C9DC5
    for byte in data:
        result = ((result ^ byte) * 0x01000193) & 0xFFFFFFFF
    return result


def safe_encode(text: str) -> str:
    """rand.SafeEncodeString: no vowels, so that no bad words appear in names."""
    return "".join(_SAFE[ord(char) % len(_SAFE)] for char in text)


def random_suffix(choices: Iterable[int]) -> str:
    """The five characters that generateName appends; `choices` are numbers below 27."""
    return "".join(_SAFE[index] for index in choices)


SAFE_ALPHABET_SIZE = len(_SAFE)


def omit_empty(mapping: Object) -> Object:
    """Without zero, empty and null members, as Go's `omitempty` writes them."""
    return {k: v for k, v in mapping.items() if v not in (0, "", None, [], {}) or v is False}
