"""Resource quantities, exactly: CPU in thousandths of a core, memory in bytes, and the one canonical way to write each.

For `k8s.actions.set_resources`, where equal amounts must make equal digests.
https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

import re
from decimal import Decimal
from typing import Literal

Resource = Literal["cpu", "memory"]

_QUANTITY = re.compile(r"([0-9]{1,18}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})(n|u|m|k|Ki|[MGTPE]i?|[eE][-+]?[0-9]{1,2})?")
_POWERS = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki")
_LARGEST = 2**63 - 1
"""The API's own bound."""


def parse(text: str, resource: Resource) -> int | None:
    """The amount in millicores or bytes; None for what is no quantity, is negative, or has a smaller part than that."""
    found = _QUANTITY.fullmatch(text)
    if found is None:
        return None
    number, suffix = Decimal(found[1]), found[2] or ""
    if suffix in _BINARY:
        exact = number * 1024 ** (len(_BINARY) - _BINARY.index(suffix))
    elif suffix[:1] in ("e", "E") and suffix != "E":
        exact = number.scaleb(int(suffix[1:]))
    else:
        exact = number.scaleb(_POWERS[suffix])
    if resource == "cpu":
        exact *= 1000
    return int(exact) if exact == int(exact) and exact <= _LARGEST else None


def canonical(amount: int, resource: Resource) -> str:
    """As the API server would write it: `2`, `500m`; `256Mi`, `1Gi`, or plain bytes."""
    if resource == "cpu":
        return str(amount // 1000) if amount % 1000 == 0 else f"{amount}m"
    for place, suffix in enumerate(_BINARY):
        unit = 1024 ** (len(_BINARY) - place)
        if amount and amount % unit == 0:
            return f"{amount // unit}{suffix}"
    return str(amount)


def is_canonical(text: str, resource: Resource) -> bool:
    amount = parse(text, resource)
    return amount is not None and canonical(amount, resource) == text
