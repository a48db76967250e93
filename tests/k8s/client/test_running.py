"""What is kept of what a command prints: its end, in whole lines, however much it is."""

from pathlib import Path

from aiohttp import web

from k8s import model, redact
from k8s.client import running
from tests.k8s.client import servers

POD = model.ResourceRef("Pod", "payments", "api-1", "u-1")
COMMAND = model.Operation("exec", POD, None, {"container": "web", "command": ["report"], "seconds": 30})
SECRET = b"DB_PASSWORD=" + b"correct-horse-" * 3
"""Too long to be cut off whole, where the beginning of the line is."""


async def heard(folder: Path, printed: bytes) -> running.Ran:
    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=running.PROTOCOLS)
        await socket.prepare(request)
        for start in range(0, len(printed), 5000):
            await socket.send_bytes(b"\x01" + printed[start : start + 5000])
        await socket.send_bytes(b'\x03{"status": "Success"}')
        await socket.close()
        return socket

    async with servers.serving(answer) as server, servers.connected(server, folder) as over:
        return await running.run(over, COMMAND, as_user=None, what="run")


async def test_a_line_that_was_cut_is_left_out_so_that_no_half_of_a_secret_is_told(tmp_path: Path) -> None:
    lines = b"\n" + b"x" * 99
    rest = lines * (running.KEPT // len(lines)) + b"\n"
    rest += b"y" * (running.KEPT - len(rest) - 20)
    ran = await heard(tmp_path, b"begin\n" + SECRET + rest)
    assert ran.code == 0
    assert "horse" not in redact.redact(ran.stdout)
    assert ran.stdout.startswith("x" * 99)
    assert ran.stdout.endswith("y")
    assert len(ran.stdout) < running.KEPT


async def test_what_is_kept_whole_keeps_its_first_line(tmp_path: Path) -> None:
    assert (await heard(tmp_path, b"first\nsecond\n")).stdout == "first\nsecond\n"
