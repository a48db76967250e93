"""The hands of a drain: reads a node and its pods, and evicts one of them through the executor's writer.

Made by `k8s.executor` for `k8s.stepping`. What the server answers is told here in the words of steps.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Protocol

from k8s import drains, fields, model, stepping
from k8s.client import errors

_BUDGET = re.compile(r"disruption budget (\S+)")

Apply = Callable[[model.Operation, bool], Awaitable[model.Json]]
"""Sends an operation; whether it is a dry run."""


class Reading(Protocol):
    """What is needed of `k8s.client.reader.Reader`."""

    async def get(self, ref: model.ResourceRef) -> model.Json: ...

    async def pods_on(self, node: str) -> list[model.Json]: ...


class Evictor:
    """Of one node. `lost`: why nothing may be written any more, by the executor's own gate."""

    def __init__(
        self, node: model.ResourceRef, reading: Reading, apply: Apply, lost: Callable[[], Awaitable[str]]
    ) -> None:
        self._node = node
        self._reading = reading
        self._apply = apply
        self._lost = lost
        self._against = ""

    async def pods(self) -> list[model.Json] | str:
        """Of the node as it is now; a sentence where it could not be read, or where it is gone."""
        try:
            self._against = _reopened(self._node, await self._reading.get(self._node))
            return await self._reading.pods_on(self._node.name)
        except errors.NotFound:
            self._against = f"Node {self._node.name} was deleted meanwhile."
            return self._against
        except errors.ClusterError as error:
            return error.message

    async def shut(self) -> str:
        """Why nothing may be written any more, by what was seen of the node in this round as well."""
        return await self._lost() or self._against

    async def evict(self, pod: model.ResourceRef) -> stepping.Sent:
        """First as a dry run, so that a webhook's no is heard before a budget is charged. Bound to the pod's uid. The
        gate is asked between the two: a process may be frozen in a dry run as anywhere."""
        op = model.Operation("evict", pod)
        for dry_run in (True, False):
            if not dry_run and (lost := await self._lost()):
                return stepping.Sent("later", lost)
            try:
                await self._apply(op, dry_run)
            except errors.ClusterError as error:
                return _told(error, pod, written=not dry_run)
        return stepping.Sent("done")


def _reopened(ref: model.ResourceRef, node: model.Json) -> str:
    """Whether somebody took the node back into use, which says no to a drain, or put another one in its place."""
    if fields.uid(node) != ref.uid:
        return f"Node {ref.name} was deleted and created anew meanwhile."
    return "" if drains.cordoned(node) else f"Node {ref.name} was uncordoned meanwhile."


def _told(error: errors.ClusterError, pod: model.ResourceRef, *, written: bool) -> stepping.Sent:
    match error:
        case errors.Held():
            return stepping.Sent("held", _budget(error, pod))
        case errors.NotFound():
            return stepping.Sent("gone")
        case errors.Conflict() | errors.Throttled():
            return stepping.Sent("later", error.message)
        case errors.Rejected() | errors.Forbidden() | errors.Unauthorized() | errors.ConfigurationError():
            return stepping.Sent("refused", error.message)
        case errors.Unreachable() if not error.sent:
            return stepping.Sent("later", error.message)
        case _:
            return stepping.Sent("lost" if written else "later", error.message)


def _budget(error: errors.Held, pod: model.ResourceRef) -> str:
    """`PodDisruptionBudget payments/api`, where the server names it as it usually does."""
    named = _BUDGET.search(error.budget)
    return f"PodDisruptionBudget {pod.namespace}/{named[1]}" if named else error.message
