"""What is said while a cluster is built and started: one line a step, with the seconds that it took. On stderr."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Unsupported(Exception):
    """This machine cannot do it; the text says what is missing and how to get it."""


class Failed(Exception):
    """A step that should work did not; the text says which, and where its log is."""


def say(text: str) -> None:
    print(f"cluster: {text}", file=sys.stderr, flush=True)


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Says what was done and how long it took; nothing where it raises."""
    began = time.monotonic()
    yield
    say(f"{what} ({time.monotonic() - began:.1f} s)")
