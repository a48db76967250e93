"""Modals and home tabs: what each person has open, and the trigger ids that let an app open something.

Pure but for the clock. Called by the view methods and by the interactions.
Sources: docs.slack.dev/surfaces/modals (three views in a stack, trigger ids of three seconds, used once),
docs.slack.dev/reference/methods/views.update (hash_conflict, not_found).
"""

import copy
from dataclasses import dataclass, field

from demo.slack import forms
from demo.slack.errors import SlackError
from demo.slack.ids import APP_ID, BOT_ID, TEAM_ID
from demo.slack.limits import check_view
from demo.slack.model import Json
from demo.slack.state import Change, Workspace

TRIGGER_SECONDS = 3.0
STACK = 3


@dataclass
class View:
    """One modal or home tab of one person. `values` is what was typed and chosen, as `state.values` in payloads."""

    id: str
    user: str
    content: Json
    hash: str
    root: str
    previous: str | None = None
    values: Json = field(default_factory=dict)

    @property
    def is_home(self) -> bool:
        """True for a home tab."""
        return bool(self.content["type"] == "home")

    def to_json(self) -> Json:
        """As views.open answers it and as payloads carry it."""
        defaults: Json = {"private_metadata": "", "callback_id": "", "clear_on_close": False, "notify_on_close": False}
        defaults |= {"close": None, "submit": None, "external_id": "", "submit_disabled": False}
        return copy.deepcopy(
            {
                "id": self.id,
                "team_id": TEAM_ID,
                "app_id": APP_ID,
                "bot_id": BOT_ID,
                "hash": self.hash,
                "root_view_id": self.root,
                "previous_view_id": self.previous,
                "app_installed_team_id": TEAM_ID,
                **defaults,
                **self.content,
                "state": {"values": self.values},
            }
        )


@dataclass
class Trigger:
    """What an interaction gives to the app: the right to open one view for one person, soon.

    `view` is the modal that was pressed or submitted, if any.
    """

    id: str
    user: str
    expires: float
    view: str | None = None
    used: bool = False


class Views:
    """The open modals (a stack a person) and the published home tabs."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.stacks: dict[str, list[View]] = {}
        self.homes: dict[str, View] = {}
        self.triggers: dict[str, Trigger] = {}
        self._changes = 0

    def new_trigger(self, user: str, view: str | None = None) -> Trigger:
        """A trigger id for an interaction of `user`."""
        serial = self.workspace.serial("")
        trigger = Trigger(f"{serial}.{TEAM_ID}.{serial[::-1]}", user, self.workspace.clock() + TRIGGER_SECONDS, view)
        self.triggers[trigger.id] = trigger
        return trigger

    def exchange(self, trigger_id: str) -> Trigger:
        """Use a trigger up; raises `invalid_trigger_id`, `expired_trigger_id` or `exchanged_trigger_id`."""
        trigger = self.triggers.get(trigger_id)
        if trigger is None:
            raise SlackError("invalid_trigger_id", ["[ERROR] `trigger_id` is not valid [json-pointer:/trigger_id]"])
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        if self.workspace.clock() > trigger.expires:
            raise SlackError("expired_trigger_id", ["[ERROR] `trigger_id` expired [json-pointer:/trigger_id]"])
        trigger.used = True
        return trigger

    def stack(self, user: str) -> list[View]:
        """What the person has open, the shown view last."""
        return self.stacks.get(user, [])

    def find(self, view_id: str | None, external_id: str | None = None) -> View:
        """By either id; raises `not_found`."""
        every = [*(view for stack in self.stacks.values() for view in stack), *self.homes.values()]
        for view in every:
            if view.id == view_id or (external_id and view.content.get("external_id") == external_id):
                return view
        raise SlackError("not_found")

    def open(self, user: str, content: Json) -> View:
        """Show a modal, instead of whatever modal was open."""
        check_view(content)
        view = self._new(user, content)
        self.stacks[user] = [view]
        self._publish(user)
        return view

    def push(self, user: str, content: Json) -> View:
        """Show a modal over the open one; at most three."""
        check_view(content)
        stack = self.stacks.get(user)
        if not stack:
            raise SlackError("not_found")
        if len(stack) >= STACK:
            raise SlackError("push_limit_reached")
        view = self._new(user, content)
        view.root, view.previous = stack[0].id, stack[-1].id
        stack.append(view)
        self._publish(user)
        return view

    def update(self, view: View, content: Json, expected_hash: str | None = None) -> View:
        """Replace what a view shows. What was typed stays where block_id and action_id stay, as in Slack."""
        check_view(content)
        if expected_hash and expected_hash != view.hash:
            raise SlackError("hash_conflict")
        view.content, view.hash = self._complete(content), self._new_hash()
        view.values = _kept(view)
        self._publish(view.user)
        return view

    def publish(self, user: str, content: Json, expected_hash: str | None = None) -> View:
        """Set a person's home tab."""
        check_view(content)
        if content.get("type") != "home":
            raise SlackError("invalid_arguments", ["[ERROR] must be one of: home [json-pointer:/view/type]"])
        current = self.homes.get(user)
        if current is None:
            self.homes[user] = self._new(user, content)
            self._publish(user)
            return self.homes[user]
        return self.update(current, content, expected_hash)

    def close(self, view: View, *, all_of_them: bool = False) -> list[View]:
        """Close a modal (and those above it), or the whole stack; returns what was closed."""
        stack = self.stacks.get(view.user, [])
        if view not in stack:
            return []
        start = 0 if all_of_them else stack.index(view)
        closed = stack[start:]
        del stack[start:]
        self._publish(view.user)
        return closed

    def _new(self, user: str, content: Json) -> View:
        view_id = self.workspace.serial("V")
        return View(view_id, user, self._complete(content), self._new_hash(), root=view_id)

    def _complete(self, content: Json) -> Json:
        return {**copy.deepcopy(content), "blocks": self.workspace.complete_blocks(content.get("blocks"))}

    def _new_hash(self) -> str:
        self._changes += 1
        return f"{int(self.workspace.clock())}.{self._changes:08d}"

    def _publish(self, user: str) -> None:
        home = self.homes.get(user)
        stack = [view.to_json() for view in self.stack(user)]
        self.workspace.publish(Change("views", {"stack": stack, "home": home and home.to_json()}, user=user))


def _kept(view: View) -> Json:
    """The entered values whose fields are still there."""
    kept: Json = {}
    for block in view.content["blocks"]:
        for element in forms.elements(block):
            held = view.values.get(block["block_id"], {}).get(element["action_id"])
            if held is not None and held["type"] == element["type"]:
                kept.setdefault(block["block_id"], {})[element["action_id"]] = held
    return kept
