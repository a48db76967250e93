"""How Slack describes an uploaded file: its type, and the preview of a text.

Pure. Called by `state` and by the file methods.
"""

from pathlib import PurePosixPath

from demo.slack.ids import TEAM_ID
from demo.slack.model import File, Json

PREVIEW_CHARACTERS = 1_200
PREVIEW_LINES = 12

_TEXTS = {
    "txt": ("text", "Plain Text"),
    "log": ("text", "Plain Text"),
    "md": ("markdown", "Markdown (raw)"),
    "yaml": ("yaml", "YAML"),
    "yml": ("yaml", "YAML"),
    "json": ("json", "JSON"),
    "diff": ("diff", "Diff"),
    "py": ("python", "Python"),
    "sh": ("shell", "Shell"),
    "csv": ("csv", "CSV"),
    "": ("text", "Plain Text"),
}
_IMAGES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}


def mimetype(file: File) -> str:
    """The content type under which the stand-in serves the file. Never one that a browser would run."""
    suffix = _suffix(file)
    if suffix in _IMAGES:
        return _IMAGES[suffix]
    return "text/plain" if _is_text(file) else "application/octet-stream"


def to_json(file: File, root: str) -> Json:
    """As files.info shows it; `root` is the stand-in's own address."""
    suffix = _suffix(file)
    filetype, pretty = _TEXTS.get(suffix, (suffix, suffix.upper())) if _is_text(file) else (suffix, suffix.upper())
    url = f"{root}files-pri/{TEAM_ID}-{file.id}/{file.name}"
    body: Json = {
        "id": file.id,
        "created": file.created,
        "timestamp": file.created,
        "name": file.name,
        "user": file.user,
        "title": file.title or file.name,
        "mimetype": mimetype(file),
        "filetype": file.snippet_type or filetype,
        "pretty_type": pretty,
        "size": file.length,
        "mode": "snippet" if _is_text(file) else "hosted",
        "editable": _is_text(file),
        "is_external": False,
        "is_public": True,
        "url_private": url,
        "url_private_download": f"{url}?download=1",
        "permalink": url,
        "channels": list(file.channels),
        "alt_txt": file.alt_text,
        "file_access": "visible",
        "comments_count": 0,
        "shares": {"public": file.shares},
    }
    if _is_text(file) and file.content is not None:
        body |= _preview(file.content.decode("utf-8", "replace"))
    return body


def _preview(text: str) -> Json:
    lines = text.splitlines()
    cut = "\n".join(lines[:PREVIEW_LINES])[:PREVIEW_CHARACTERS]
    return {
        "preview": cut,
        "preview_is_truncated": len(cut) < len(text.rstrip("\n")),
        "lines": len(lines),
        "lines_more": max(0, len(lines) - PREVIEW_LINES),
    }


def _suffix(file: File) -> str:
    return PurePosixPath(file.name).suffix.lstrip(".").lower()


def _is_text(file: File) -> bool:
    if _suffix(file) in _IMAGES:
        return False
    if _suffix(file) in _TEXTS or file.snippet_type:
        return True
    return file.content is not None and b"\0" not in file.content[:4096] and _decodes(file.content[:4096])


def _decodes(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
