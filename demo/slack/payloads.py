"""The payloads that Slack sends to an app: commands, presses, submissions, events.

Pure but for the trigger ids and response URLs that each interaction gets. Called by `interactions` only.
Source: docs.slack.dev/reference/interaction-payloads, docs.slack.dev/interactivity/implementing-slash-commands,
docs.slack.dev/apis/events-api.
"""

from demo.slack import forms
from demo.slack.ids import APP_ID, BOT_USER, TEAM_DOMAIN, TEAM_ID, VERIFICATION_TOKEN
from demo.slack.model import Channel, Ephemeral, Json, Message
from demo.slack.service import Service
from demo.slack.views import View


def command(service: Service, user: str, channel: Channel, name: str, text: str, interaction: str) -> Json:
    """A slash command; every field is a string, because HTTP sends it as a form."""
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": TEAM_ID,
        "team_domain": TEAM_DOMAIN,
        "channel_id": channel.id,
        "channel_name": channel.name or "directmessage",
        "user_id": user,
        "is_enterprise_install": "false",
        "user_name": service.workspace.users[user].name,
        "command": name,
        "text": text,
        "api_app_id": APP_ID,
        "response_url": service.response_urls.new(user, channel.id, interaction),
        "trigger_id": service.views.new_trigger(user).id,
    }


def _interaction(service: Service, type_: str, user: str) -> Json:
    person = service.workspace.users[user]
    return {
        "type": type_,
        "user": {"id": user, "username": person.name, "name": person.name, "team_id": TEAM_ID},
        "api_app_id": APP_ID,
        "token": VERIFICATION_TOKEN,
        "team": {"id": TEAM_ID, "domain": TEAM_DOMAIN},
        "enterprise": None,
        "is_enterprise_install": False,
    }


def message_actions(
    service: Service,
    user: str,
    channel: Channel,
    source: Message | Ephemeral | None,
    ts: str,
    action: Json,
    interaction: str,
) -> Json:
    """block_actions of a message. `source` is None for a message that is no longer there (forged presses)."""
    attachment = _attachment_of(source, action)
    container: Json = {"type": "message_attachment" if attachment else "message", "message_ts": ts}
    if attachment:
        container["attachment_id"] = attachment["id"]
    container |= {"channel_id": channel.id, "is_ephemeral": isinstance(source, Ephemeral)}
    if attachment:
        container["is_app_unfurl"] = False
    if source is not None and source.thread_ts:
        container["thread_ts"] = source.thread_ts
    payload = _interaction(service, "block_actions", user)
    payload |= {
        "container": container,
        "trigger_id": service.views.new_trigger(user).id,
        "channel": {"id": channel.id, "name": channel.name or "directmessage"},
        "state": {"values": {}},
        "response_url": service.response_urls.new(user, channel.id, interaction, ts),
        "actions": [action],
    }
    if isinstance(source, Message):
        payload["message"] = service.workspace.message_json(source)
        payload["state"] = {"values": forms.state(forms.all_blocks(payload["message"]), {})}
    return payload


def _attachment_of(source: Message | Ephemeral | None, action: Json) -> Json | None:
    for attachment in source.attachments if source else []:
        if forms.find(attachment.get("blocks") or [], action["action_id"], action.get("block_id")):
            return attachment
    return None


def view_actions(service: Service, user: str, view: View, action: Json) -> Json:
    """block_actions of a modal or a home tab: no channel and no response_url."""
    payload = _interaction(service, "block_actions", user)
    trigger = service.views.new_trigger(user, None if view.is_home else view.id)
    return payload | {
        "container": {"type": "view", "view_id": view.id},
        "trigger_id": trigger.id,
        "view": view.to_json(),
        "actions": [action],
    }


def view_submission(service: Service, user: str, view: View) -> Json:
    """A submitted modal."""
    payload = _interaction(service, "view_submission", user)
    trigger = service.views.new_trigger(user, view.id)
    return payload | {"trigger_id": trigger.id, "view": view.to_json(), "response_urls": []}


def view_closed(service: Service, user: str, view: View, *, cleared: bool) -> Json:
    """A modal that was closed without submission."""
    return _interaction(service, "view_closed", user) | {"view": view.to_json(), "is_cleared": cleared}


def action(element: Json, block_id: str, value: object, action_ts: str) -> Json:
    """One entry of `actions`: the element's identity, and what was chosen."""
    entry = {"action_id": element["action_id"], "block_id": block_id, "type": element["type"]}
    entry |= {key: element[key] for key in ("text", "style", "placeholder", "url") if key in element}
    return entry | forms.entered(element, value) | {"action_ts": action_ts}


def event(service: Service, body: Json) -> Json:
    """The envelope of the Events API around one event."""
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": TEAM_ID,
        "api_app_id": APP_ID,
        "event": body,
        "type": "event_callback",
        "event_id": service.workspace.serial("Ev"),
        "event_time": int(service.clock()),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": TEAM_ID,
                "user_id": BOT_USER,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
        "event_context": "4-demo",
    }
