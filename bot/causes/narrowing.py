"""Narrower ways back than an undo: one image, one variable or one amount of one container, from the revision that was
healthy.

Called by the families for their candidates. What is put back is looked up in the templates themselves, never taken
from a sentence; where either is not known there is no candidate, and the undo is left.
"""

from bot.causes import cases
from bot.domain import diagnoses
from k8s import earlier, fields, model, quantities

Candidates = tuple[diagnoses.Candidate, ...]

_MEBIBYTE = 1 << 20


def image(case: cases.Case) -> Candidates:
    """The image that the failing container ran before, by digest where that is known."""
    name, healthy, target = case.finding.container, case.healthy, case.target
    if healthy is None or target is None or not _both(case):
        return ()
    ran = next((each for each in earlier.images(target, name) if each.revision == healthy.number), None)
    is_now = fields.text(earlier.container(case.template, name), "image")
    if ran is None or is_now in ("", ran.image):
        return ()
    why = f"container {name} ran {ran.image} in revision {ran.revision}; what else was rolled out stays"
    return (diagnoses.Candidate(model.SetImage(case.problem.subject, name, ran.best), why),)


def only_image(case: cases.Case) -> bool:
    """Whether the image is all that changed of the failing container since the healthy revision: with its image back,
    this container is what it was."""
    found = _both(case)
    if not found:
        return False
    was, is_now = ({key: each for key, each in one.items() if key != "image"} for one in found)
    return was == is_now


def same_code(case: cases.Case) -> bool:
    """Whether the failing container has the image of the healthy revision. With another one, what it does beside
    earlier settings was never seen: then only the whole that ran before is sure."""
    found = _both(case)
    return bool(found) and len({fields.text(one, "image") for one in found}) == 1


def variable(case: cases.Case, called: str) -> Candidates:
    """What a variable of the failing container was before, where that is gone or another."""
    name, healthy = case.finding.container, case.healthy
    if healthy is None or not same_code(case):
        return ()
    was = earlier.variable(healthy.template, name, called)
    is_now = earlier.variable(case.template, name, called)
    if len(was) != 1 or len(is_now) > 1 or was == is_now:
        return ()
    why = f"it gives {called} back as revision {healthy.number} had it; what else was rolled out stays"
    return (diagnoses.Candidate(model.SetEnv(case.problem.subject, name, called, healthy.number), why),)


def memory_limit(case: cases.Case) -> Candidates:
    """The memory limit that the failing container had before, where it was higher."""
    found, healthy = _both(case), case.healthy
    if healthy is None or not same_code(case):
        return ()
    was, is_now = (_amount(one, "limits", "memory") for one in found)
    if was is None or is_now is None or was <= is_now:
        return ()
    back = quantities.canonical(was, "memory")
    why = f"revision {healthy.number} had a limit of {back}; what else was rolled out stays"
    action = model.SetResources(case.problem.subject, case.finding.container, memory_limit=back)
    return (diagnoses.Candidate(action, why),)


def request(case: cases.Case, resource: quantities.Resource) -> Candidates:
    """The request of the only container that asks for more than before, for a pod that fits on no node."""
    healthy = case.healthy
    if healthy is None:
        return ()
    raised = []
    for entry in fields.items(case.template, "spec", "containers"):
        before = earlier.container(healthy.template, fields.text(entry, "name"))
        was, is_now = _amount(before, "requests", resource), _amount(entry, "requests", resource)
        if is_now is not None and (was is None or was < is_now):
            raised.append((entry, before, was))
    if len(raised) != 1:
        return ()
    entry, before, was = raised[0]
    if was is None or fields.text(entry, "image") != fields.text(before, "image"):
        return ()
    name = fields.text(entry, "name")
    back = quantities.canonical(was, resource)
    why = f"revision {healthy.number} asked for {back} of {resource}; what else was rolled out stays"
    amounts = {f"{resource}_request": back}
    return (diagnoses.Candidate(model.SetResources(case.problem.subject, name, **amounts), why),)


def more_memory(case: cases.Case) -> tuple[str, str] | None:
    """The memory limit of the failing container, and half as much again in whole mebibytes; None where it has none."""
    if case.problem.subject.kind not in cases.REVISED:
        return None
    container = earlier.container(case.template, case.finding.container)
    limit = _amount(container, "limits", "memory")
    if not limit:
        return None
    more = -(-limit * 3 // (2 * _MEBIBYTE)) * _MEBIBYTE
    return quantities.canonical(limit, "memory"), quantities.canonical(more, "memory")


def _both(case: cases.Case) -> tuple[model.Json, ...]:
    """The failing container as it was in the healthy revision and as it is now; nothing where either is not known."""
    healthy, name = case.healthy, case.finding.container
    if healthy is None or not name or case.problem.subject.kind not in cases.REVISED:
        return ()
    found = (earlier.container(healthy.template, name), earlier.container(case.template, name))
    return found if all(found) else ()


def _amount(container: model.Json, bound: str, resource: quantities.Resource) -> int | None:
    text = fields.value(container, "resources", bound, resource)
    if not isinstance(text, str | int | float) or isinstance(text, bool):
        return None
    return quantities.parse(str(text), resource)
