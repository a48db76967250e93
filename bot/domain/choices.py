"""Choosing an action by hand: which of the catalogue fit an incident's subject now, and what is to be entered for each.

Only what is typed and bounded may be entered: one of what is there, a number, a quantity. What speaks against an action
by the catalogue's own rules is not offered; the policy and the API server judge what was chosen, like anything else.
Pure, over one fresh read. Used by `bot.flow.asking`, `bot.pipeline` and the modal that asks.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from bot import errors
from bot.domain import edits, forms, picks
from k8s import catalogue, custom_actions, model, redact

CHOICE = "choice"
"""The field of an action that is wholly one of a menu's."""
_RISKS: tuple[model.RiskTier, ...] = ("low", "medium", "high")


@dataclass(frozen=True, slots=True)
class Option:
    """One action that could be asked for."""

    name: str
    """In the catalogue."""
    label: str
    risk: model.RiskTier
    """Of the action by itself; what it meets may make it higher."""


@dataclass(frozen=True, slots=True)
class Menu:
    """What a person who wants something else is shown."""

    subject: model.ResourceRef
    options: tuple[Option, ...]
    chosen: str = ""
    """Name of the action that was picked of these; empty at first."""
    fields: tuple[edits.Field, ...] = ()
    """What to enter for it."""
    never: str = ""
    """What it must never be used for."""
    why_not: str = ""
    """What speaks against it by now: then it cannot be proposed."""


@dataclass(frozen=True, slots=True)
class Way:
    """How one action of the catalogue is chosen."""

    label: str
    picks: picks.Picks
    """All that it could be; of a form examples, one of which must be possible for it to be offered."""
    asked: str = ""
    """Label of the menu of these; empty where there is but one, and nothing to ask."""
    form: forms.Form | None = None


def names(kind: str) -> tuple[str, ...]:
    """The actions of the catalogue that are for a subject of this kind; custom ones by their own names."""
    own = (name for name, plugin in custom_actions.installed().items() if kind in plugin.kinds)
    found = (name for name, remedy in catalogue.REMEDIES.items() if kind in remedy.kinds and way(name) is not None)
    return (*found, *own)


def way(name: str) -> Way | None:
    """None where an action cannot be chosen by hand."""
    if name in WAYS:
        return WAYS[name]
    if plugin := custom_actions.installed().get(name):
        asked = forms.custom(plugin) if plugin.parameters else None
        return Way(plugin.words.rstrip("."), forms.examples(plugin), form=asked)
    return None


def options(seen: picks.Sight) -> tuple[Option, ...]:
    """What could be done now, by ascending risk and by label."""
    return tuple(sorted(_options(seen), key=lambda one: (_RISKS.index(one.risk), one.label)))


def _options(seen: picks.Sight) -> Iterator[Option]:
    for name in names(seen.subject.kind):
        chosen = _way(name)
        found = next((one.action for one in chosen.picks(seen) if not picks.against(seen, one.action)), None)
        if found is None and (plugin := _untried(name)) is not None:
            yield Option(name, chosen.label, plugin.risk)
        elif found is not None:
            plan = catalogue.plan(found, picks.aimed(seen, found), seen.now)
            yield Option(name, chosen.label, plan.risk)


def menu(seen: picks.Sight, chosen: str = "") -> Menu:
    """All that could be done now; with what to enter for one of them, or why that is not possible any more."""
    found = options(seen)
    if not chosen:
        return Menu(seen.subject, found)
    try:
        entered = fields_of(chosen, seen)
    except errors.NotPossible as error:
        return Menu(seen.subject, found, chosen, why_not=redact.redact(str(error)))
    return Menu(seen.subject, found, chosen, entered, _never(chosen))


def fields_of(name: str, seen: picks.Sight) -> tuple[edits.Field, ...]:
    """What to enter; empty where there is nothing. Raises NotPossible with what speaks against this action now."""
    if name not in names(seen.subject.kind):
        raise errors.NotPossible(f"{name} is not for a {seen.subject.kind}.")
    chosen = _way(name)
    found, why = [], ""
    for one in chosen.picks(seen):
        reasons = picks.against(seen, one.action)
        why = why or " ".join(reasons)
        found += [] if reasons else [one]
    if not found and _untried(name) is None:
        raise errors.NotPossible(why or f"There is nothing of {seen.subject.short} that this could be done to.")
    if chosen.form is not None:
        return chosen.form.fields(seen)
    if not chosen.asked:
        return ()
    shown = tuple(edits.Choice(one.token, one.label) for one in found)
    only = shown[0].value if len(shown) == 1 else ""
    return (edits.Field(CHOICE, chosen.asked, "choice", only, shown),)


def made(name: str, values: Mapping[str, str], seen: picks.Sight) -> model.Action:
    """The action that was chosen. Raises edits.Wrong, with faults by field."""
    if name not in names(seen.subject.kind):
        raise edits.Wrong({"": f"{name} is not for a {seen.subject.kind}."})
    chosen = _way(name)
    if chosen.form is not None:
        return chosen.form.made(seen, values)
    wanted = values.get(CHOICE, "")
    found = next((one for one in chosen.picks(seen) if not chosen.asked or one.token == wanted), None)
    if found is None:
        raise edits.Wrong({CHOICE: forms.GONE})
    return found.action


def _untried(name: str) -> custom_actions.Guarded | None:
    """A custom action with a free text among its parameters: nothing can be said before that is entered."""
    plugin = custom_actions.installed().get(name)
    return plugin if plugin is not None and any(isinstance(each, str) for each in plugin.parameters.values()) else None


def _never(name: str) -> str:
    plugin = custom_actions.installed().get(name)
    return catalogue.REMEDIES[name].never if plugin is None else plugin.never


def _way(name: str) -> Way:
    found = way(name)
    if found is None:
        raise errors.NotPossible(f"{name} cannot be chosen by hand.")
    return found


def _plain(action: Callable[[model.ResourceRef], model.Action]) -> picks.Picks:
    """Of an action that is about the subject, and nothing more has to be said."""

    def only(seen: picks.Sight) -> Iterator[picks.Pick]:
        yield picks.Pick(action(seen.subject))

    return only


# --- the table

NOT_BY_HAND: Mapping[str, str] = MappingProxyType({"custom": "Each that is installed is chosen by its own name."})
"""Actions of the catalogue that nobody chooses in a modal, and why."""

WAYS: Mapping[str, Way] = MappingProxyType(
    {
        "rollout-restart": Way("Restart all pods", _plain(model.RolloutRestart)),
        "rollout-undo": Way("Roll back to a revision", picks.revisions, "Revision"),
        "rollout-pause": Way("Pause the rollout", _plain(model.RolloutPause)),
        "rollout-resume": Way("Resume the rollout", _plain(model.RolloutResume)),
        "scale": Way("Scale", forms.scaled, form=forms.SCALE),
        "set-image": Way("Put an earlier image back", picks.images, "Image"),
        "set-resources": Way("Set requests and limits", forms.resources, form=forms.RESOURCES),
        "resize-pod": Way("Resize a pod as it runs", forms.resized, form=forms.RESIZE),
        "set-env": Way("Put a variable back", picks.put_back, "Variable"),
        "unset-env": Way("Remove a variable", picks.taken_away, "Variable"),
        "set-autoscaler": Way("Set the autoscaler's bounds", forms.autoscalers, form=forms.AUTOSCALER),
        "delete-pod": Way("Delete a pod", picks.deleted, "Pod"),
        "evict-pod": Way("Evict a pod", picks.evicted, "Pod"),
        "force-delete-pod": Way("Force-delete a stuck pod", picks.forced, "Pod"),
        "remove-finalizer": Way("Remove a stuck finalizer", picks.finalizers, "Finalizer"),
        "suspend-cronjob": Way("Suspend the CronJob", _plain(model.SuspendCronJob)),
        "resume-cronjob": Way("Resume the CronJob", _plain(model.ResumeCronJob)),
        "run-cronjob": Way("Run the CronJob now", _plain(model.RunCronJob)),
        "delete-job": Way("Delete a failed Job", picks.jobs_deleted, "Job"),
        "rerun-job": Way("Run a failed Job again", picks.jobs_again, "Job"),
        "drain": Way("Drain the node", picks.drain),
        "restart-on-node": Way("Restart on one node", picks.on_nodes, "Node"),
        "exec-command": Way("Run a listed command", picks.run, "Command"),
        "cordon": Way("Cordon the node", _plain(model.Cordon)),
        "uncordon": Way("Uncordon the node", _plain(model.Uncordon)),
        "remove-taint": Way("Remove a taint", picks.taints, "Taint"),
        "annotate-mute": Way("Mute this workload", picks.mutes, "What"),
    }
)
"""By the catalogue's name."""
