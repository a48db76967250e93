"""The cases, by family. Each was written from how Kubernetes and the programs in it fail, before any rule knew it."""

from collections.abc import Sequence

from evals import values
from evals.cases import capacity, crashing, decoys, hostile, others, pasts, pulling, running, surroundings

ALL: Sequence[values.Case] = (
    *crashing.CASES,
    *pulling.CASES,
    *running.CASES,
    *capacity.CASES,
    *surroundings.CASES,
    *others.CASES,
    *pasts.CASES,
    *decoys.CASES,
    *hostile.CASES,
)
