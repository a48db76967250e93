"""A stand-in of the Messages API, for tests and for a demonstration without an account.

    async with StandIn([uses(("get", {...})), says({...})]) as model:
        ...  # model.url is the base address; model.requests is what came

It is as strict as the API where our requests could be wrong: keys, versions, turns that do not follow each other, tool
results that answer no call, schemas that a strict tool may not have, parameters that models refuse. It answers from a
queue, or by a function of the request; what is scripted may be an error, silence, a cut-off or nonsense. A request with
`stream` gets the same answer as server-sent events, and each of these ends in the midst of them.
"""

from demo.model.scripts import (
    Answer,
    Script,
    breaks_off,
    cut_off,
    declines,
    fails,
    garbage,
    hangs,
    interrupted,
    overloaded,
    pauses,
    rate_limited,
    says,
    uses,
)
from demo.model.server import KEY, StandIn

__all__ = [
    "KEY",
    "Answer",
    "Script",
    "StandIn",
    "breaks_off",
    "cut_off",
    "declines",
    "fails",
    "garbage",
    "hangs",
    "interrupted",
    "overloaded",
    "pauses",
    "rate_limited",
    "says",
    "uses",
]
