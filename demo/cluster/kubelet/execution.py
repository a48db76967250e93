"""`pods/NAME/exec` over WebSocket: a command runs on the files of a container; channel 3 says how it ended.

`server` calls `serve` after it has authorized the request. Subprotocols v4.channel.k8s.io and v5.channel.k8s.io; a
message begins with the number of its channel. Nothing reads standard input here. Source:
https://github.com/kubernetes/apiserver/blob/v0.34.4/pkg/util/proxy/streamtranslator.go and
https://github.com/kubernetes/kubelet/blob/v0.34.4/pkg/cri/streaming/remotecommand/websocket.go .
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from aiohttp import WSCloseCode, web

from demo.cluster.errors import ApiError, bad_request, internal
from demo.cluster.kubelet.files import NoBinaryError, Result
from demo.cluster.kubelet.logs import choose_container
from demo.cluster.kubelet.nodeagent import NodeAgent
from demo.cluster.kubelet.status import Container
from demo.cluster.objects import Object, name_of, uid_of

V4, V5 = "v4.channel.k8s.io", "v5.channel.k8s.io"
STDOUT, STDERR, ERROR = 1, 2, 3
_GONE = 'container not found ("{name}")'
_TRUE = ("1", "true", "True")


@dataclass(frozen=True)
class Options:
    """The query of a request."""

    container: str
    command: tuple[str, ...]
    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool

    @classmethod
    def parse(cls, http: web.Request) -> "Options":
        flags = {name: http.query.get(name) in _TRUE for name in ("stdin", "stdout", "stderr", "tty")}
        return cls(http.query.get("container", ""), tuple(http.query.getall("command", [])), **flags)


async def serve(http: web.Request, pod: Object, nodes: NodeAgent) -> web.StreamResponse:
    """Run the command and answer over the socket. `ApiError` for everything that is refused before the upgrade."""
    options = Options.parse(http)
    name = choose_container(pod, options.container)
    node = pod["spec"].get("nodeName")
    if not node:
        raise bad_request(f"pod {name_of(pod)} does not have a host assigned")
    if http.headers.get("Upgrade", "").lower() != "websocket":
        raise bad_request("Upgrade request required")
    offered = [each.strip() for each in http.headers.get("Sec-WebSocket-Protocol", "").split(",")]
    chosen = next((each for each in offered if each in (V4, V5)), None)
    if chosen is None:
        raise bad_request(f"unable to upgrade: unable to negotiate protocol: {offered}")
    if not (options.stdin or options.stdout or options.stderr):
        raise bad_request("you must specify at least 1 of stdin, stdout, stderr")
    container = _find(nodes, pod, node, name)
    if container is None and chosen == V4:
        return web.Response(status=500, text=_GONE.format(name=name))
    return await _answer(http, chosen, options, _run(container, name, options))


def _run(container: Container | None, name: str, options: Options) -> Result | ApiError:
    """The result, or the error that is said over the socket."""
    if container is None:
        return internal(f"unable to upgrade connection: {_GONE.format(name=name)}")
    try:
        return container.files.run(options.command)
    except NoBinaryError as error:
        why = f'failed to exec in container: failed to start exec "{container.id}": {error}'
        return internal(f"error executing command in container: {why}")


def _find(nodes: NodeAgent, pod: Object, node: str, name: str) -> Container | None:
    """The running container of that name; 500 where its node cannot be reached."""
    if node in nodes.cut_off:
        address = nodes.host_ip(node)
        raise ApiError(500, "", f"error dialing backend: dial tcp {address}:10250: connect: no route to host")
    worker = nodes.workers.get(uid_of(pod))
    containers = worker.containers if worker is not None else []
    return next((each for each in containers if each.name == name and each.running), None)


async def _answer(http: web.Request, protocol: str, options: Options, outcome: Result | ApiError) -> web.StreamResponse:
    socket = web.WebSocketResponse(protocols=(protocol,))
    await socket.prepare(http)
    first = STDOUT if options.stdout else STDERR if options.stderr else ERROR
    await socket.send_bytes(bytes([first]))
    status = outcome.status() if isinstance(outcome, ApiError) else _status(outcome, options.command, protocol)
    if isinstance(outcome, Result):
        await asyncio.sleep(outcome.seconds)
        for channel, text in _output(outcome, options):
            await socket.send_bytes(bytes([channel]) + text.encode())
    await socket.send_bytes(bytes([ERROR]) + msgspec.json.encode(status))
    await socket.close(code=WSCloseCode.OK)
    return socket


def _output(result: Result, options: Options) -> list[tuple[int, str]]:
    """(channel, text); a terminal has one stream for both."""
    pairs = [(STDOUT, result.stdout, options.stdout), (STDERR, result.stderr, options.stderr)]
    if options.tty:
        pairs = [(STDOUT, (result.stdout + result.stderr).replace("\n", "\r\n"), options.stdout)]
    return [(channel, text) for channel, text, wanted in pairs if text and wanted]


def _status(result: Result, command: Sequence[str], protocol: str) -> Object:
    """By v4 in the words of the kubelet; by v5 in those of the API server, which hears it from the kubelet."""
    if not result.code:
        return {"metadata": {}, "status": "Success"}
    code = int(result.code)
    text = f"command terminated with exit code {code}"
    if protocol == V4:
        text = f"error executing command [{' '.join(command)}], exit code {code}"
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: {text}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }
