"""Sentences that several stages say alike."""

import difflib
from collections.abc import Sequence

SHOWN = 10


def unknown(what: str, given: str, known: Sequence[str], where: str = "") -> str:
    """There is no such thing: the near matches, or what there is. `where` follows the name: ` in payments`."""
    near = difflib.get_close_matches(given, known, n=3, cutoff=0.5)
    if near:
        return f"There is no {what} `{given}`{where}. Did you mean {' or '.join(f'`{name}`' for name in near)}?"
    shown = ", ".join(f"`{name}`" for name in known[:SHOWN])
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return f"There is no {what} `{given}`{where}. There are: {shown or 'none'}{more}."
