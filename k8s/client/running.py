"""Runs one command in a container over `pods/NAME/exec`, and hears how it ended. Called by `writer` alone.

A WebSocket whose messages begin with the number of a channel: 1 and 2 are what the command prints, 3 is one Status that
tells its end. Standard input and a terminal are never asked for. Subprotocol v5 since Kubernetes 1.29, v4 before:
https://kubernetes.io/blog/2024/08/20/websockets-transition/
"""

import asyncio
import re
from dataclasses import dataclass, field

import aiohttp
import msgspec

from k8s import model
from k8s.client import connection, errors, resources

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
KEPT = 65_536
"""Last bytes that are kept of each of the two outputs: far more than is shown."""
_MOST_ENDING = 65_536
_STDOUT, _STDERR, _STATUS = 1, 2, 3
_NOT_STARTED = re.compile(
    r"failed to start exec|unable to start container process|executable file not found|container not found"
)
"""What a kubelet and the runtimes say where nothing was run."""
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a command. Text of a container: neither redacted nor escaped yet."""

    code: int | None
    """Its exit code; None where it had not ended when its time was over: it may go on."""
    stdout: str
    stderr: str


class _Cause(msgspec.Struct):
    reason: str = ""
    message: str = ""


class _Details(msgspec.Struct):
    causes: list[_Cause] = []


class _Status(msgspec.Struct):
    status: str = ""
    reason: str = ""
    message: str = ""
    details: _Details | None = None


@dataclass(slots=True)
class _Heard:
    """What has come until now, in bounded memory."""

    outputs: dict[int, bytearray] = field(default_factory=lambda: {_STDOUT: bytearray(), _STDERR: bytearray()})
    ending: bytearray = field(default_factory=bytearray)
    cut: set[int] = field(default_factory=set)
    """Of which output the beginning was dropped."""

    def take(self, message: bytes) -> None:
        channel, data = message[0], message[1:]
        if channel == _STATUS:
            self.ending += data[: _MOST_ENDING - len(self.ending)]
        elif channel in self.outputs:
            held = self.outputs[channel]
            held += data
            if len(held) > KEPT:
                del held[:-KEPT]
                self.cut.add(channel)

    def ran(self, code: int | None) -> Ran:
        return Ran(code, self._text(_STDOUT), self._text(_STDERR))

    def _text(self, channel: int) -> str:
        """From its first whole line on: half of one may be a secret without the name by which it is known for one."""
        held = self.outputs[channel]
        return _clean(held.partition(b"\n")[2] if channel in self.cut else held)


async def run(over: connection.Connection, op: model.Operation, *, as_user: model.Identity | None, what: str) -> Ran:
    """Sends the command, once. Raises ValueError for a body that is none.

    Raises Rejected, Forbidden and NotFound where nothing was run; after Unreachable (with `sent`) and ServerFault
    nobody knows whether it was.
    """
    match op.body:
        case {"container": str(container), "command": [str(), *_] as argv, "seconds": int(seconds)}:
            query = [("container", container), ("stdout", "true"), ("stderr", "true"), ("stdin", "false")]
            query += [("tty", "false"), *(("command", str(word)) for word in argv)]
        case _:
            raise ValueError(f"no command to run in {op.target}")
    request = connection.Request(what, "GET", resources.path_of(op.target, "exec"), query, as_user=as_user)
    heard = _Heard()
    async with over.conversation(request, PROTOCOLS) as socket, errors.translated(what):
        try:
            async with asyncio.timeout(seconds):
                await _listen(socket, heard)
        except TimeoutError:
            return heard.ran(None)
    return heard.ran(_code(what, bytes(heard.ending)))


async def _listen(socket: aiohttp.ClientWebSocketResponse, heard: _Heard) -> None:
    """Until the other side closes, or has told the end."""
    async for message in socket:
        if message.type == aiohttp.WSMsgType.BINARY and message.data:
            heard.take(message.data)
            if heard.ending:
                return


def _code(what: str, ending: bytes) -> int:
    """The exit code of a Status. Raises Rejected where nothing was run, ServerFault where that is not known."""
    if not ending:
        raise errors.Unreachable(what, "the connection ended before the command did")
    try:
        status = msgspec.json.decode(ending, type=_Status)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise errors.Malformed(what, "the end of the command could not be read") from None
    if status.status == "Success":
        return 0
    codes = [each.message for each in (status.details or _Details()).causes if each.reason == "ExitCode"]
    if status.reason == "NonZeroExitCode" and codes and codes[0].lstrip("-").isdecimal():
        return int(codes[0])
    message = status.message[:1000] or "the command could not be run"
    if _NOT_STARTED.search(message):
        raise errors.Rejected(what, message)
    raise errors.ServerFault(what, message)


def _clean(data: bytearray) -> str:
    return _CONTROLS.sub("", _ANSI.sub("", bytes(data).decode(errors="replace").replace("\r\n", "\n")))
