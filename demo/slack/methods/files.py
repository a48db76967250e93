"""files.*: the three steps in which an app uploads a file.

Called by `web_api` only. Source: docs.slack.dev/messaging/working-with-files#uploading_files, and slack_sdk's
files_upload_v2, which makes these calls.
"""

from demo.slack import files
from demo.slack.errors import SlackError
from demo.slack.ids import BOT_USER, TEAM_ID
from demo.slack.model import Channel, File, Json, Message
from demo.slack.service import Args, Handler, Service

MOST_BYTES = 50_000_000


async def get_upload_url(service: Service, args: Args) -> Json:
    """files.getUploadURLExternal: an address that takes the content once."""
    name = args.required("filename")
    try:
        length = int(args.required("length"))
    except ValueError:
        length = 0
    if length < 1:
        raise SlackError("invalid_arguments", ["[ERROR] `length` must be greater than 0 [json-pointer:/length]"])
    if length > MOST_BYTES:
        raise SlackError("file_too_large")
    file = File(service.workspace.serial("F"), name, length, BOT_USER, created=int(service.clock()))
    file.alt_text, file.snippet_type = args.text("alt_txt"), args.text("snippet_type")
    service.workspace.files[file.id] = file
    return {"ok": True, "upload_url": f"{service.workspace.root}upload/v1/{file.id}", "file_id": file.id}


async def complete_upload(service: Service, args: Args) -> Json:
    """files.completeUploadExternal: share the files, in one message."""
    entries = args.list("files", "invalid_arguments")
    if not entries:
        raise SlackError("invalid_arguments", ["[ERROR] missing required field: files"])
    uploaded = [_uploaded(service, entry) for entry in entries]
    targets = args.text("channels").split(",") if args.text("channels") else []
    targets += [args.text("channel_id")] if args.text("channel_id") else []
    channels = [service.workspace.channel_for_posting(target) for target in targets]
    for channel in channels:
        _check_thread(channel, args.text("thread_ts"))
    for file, title in uploaded:
        file.completed, file.title = True, title
    for channel in channels:
        _share(service, channel, [file for file, _ in uploaded], args)
    return {"ok": True, "files": [files.to_json(file, service.workspace.root) for file, _ in uploaded]}


def _uploaded(service: Service, entry: object) -> tuple[File, str]:
    file_id = entry.get("id") if isinstance(entry, dict) else None
    file = service.workspace.files.get(str(file_id))
    if file is None or file.content is None or file.completed:
        raise SlackError("file_not_found")
    title = entry.get("title") if isinstance(entry, dict) else None
    return file, str(title or file.name)


def _check_thread(channel: Channel, thread_ts: str) -> None:
    if thread_ts and thread_ts not in channel.messages:
        raise SlackError("thread_not_found")


def _share(service: Service, channel: Channel, shared: list[File], args: Args) -> None:
    message = Message(
        ts=service.workspace.next_ts(channel),
        channel=channel.id,
        user=BOT_USER,
        text=args.text("initial_comment"),
        thread_ts=args.text("thread_ts") or None,
        files=[file.id for file in shared],
    )
    for file in shared:
        file.channels.append(channel.id)
        share: Json = {"ts": message.ts, "channel_name": channel.name, "team_id": TEAM_ID}
        share |= {"thread_ts": message.thread_ts} if message.thread_ts else {}
        file.shares.setdefault(channel.id, []).append(share)
    service.workspace.post(channel, message)


async def info(service: Service, args: Args) -> Json:
    """files.info."""
    file = service.workspace.files.get(args.required("file"))
    if file is None or not file.completed:
        raise SlackError("file_not_found")
    return {"ok": True, "file": files.to_json(file, service.workspace.root), "comments": []}


METHODS: dict[str, tuple[Handler, str]] = {
    "files.getUploadURLExternal": (get_upload_url, "files:write"),
    "files.completeUploadExternal": (complete_upload, "files:write"),
    "files.info": (info, "files:read"),
}
