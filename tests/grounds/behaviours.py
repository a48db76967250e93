"""What a container does, told once for both worlds: a script that busybox runs, and a program of the simulation.

Stories pick one and hand it to `ground.container`. Both forms of a behaviour log the same lines, end with the same code
and answer a probe in the same words, as far as a story may see it.

Every script is pid 1 of its container (`sh -c`), which the kernel gives no default handlers: so each traps TERM, and
waits for its sleeps instead of sleeping, or a trap would have to wait for them.
"""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from demo.cluster import images

HEALTHY = "/tmp/healthy"
"""The file that a container which is well keeps, and that `manifests.asks` asks for."""
UNHEALTHY = f"cat: can't open '{HEALTHY}': No such file or directory"
"""What busybox's cat answers such a probe where the file is not there."""

Name = Literal[
    "serving",
    "needs-env",
    "eats-memory",
    "never-ready",
    "ready-with-env",
    "forgets-healthy",
    "fails",
    "finishes",
    "finishes-with-env",
    "floods",
    "floods-then-fails",
    "one-line",
    "garbles",
]
MIB = 1024 * 1024
_ENOUGH = 192 * MIB
_FLOOD = "ERROR  upstream did not answer, trying again at once, and again, and again, and again"


@dataclass(frozen=True)
class Behaviour:
    """What the process of a container does. Made by the functions below."""

    name: Name
    args: tuple[str, ...] = ()

    def script(self) -> str:
        """For `sh -c` in a busybox image."""
        return f"trap 'exit 0' TERM\n{_SCRIPTS[self.name](*self.args)}"

    def program(self) -> images.Program:
        """For `Images.publish` of the simulated cluster. Its times are the cluster's own seconds."""
        return _PROGRAMS[self.name](*self.args)


def serving() -> Behaviour:
    """Runs well for ever, with a line of log now and then."""
    return Behaviour("serving")


def needs_env(name: str) -> Behaviour:
    """Runs well where the variable is set; else a Python traceback that ends in `KeyError: 'name'`, and exit code 1."""
    return Behaviour("needs-env", (name,))


def eats_memory() -> Behaviour:
    """Takes more memory within some seconds: killed by a limit of 64Mi or less, well with 256Mi or more."""
    return Behaviour("eats-memory")


def never_ready() -> Behaviour:
    """Runs, and never has what the probe asks for."""
    return Behaviour("never-ready")


def ready_with_env(name: str) -> Behaviour:
    """Runs; it has what the probe asks for only where the variable is set. Read at the start, as any process does."""
    return Behaviour("ready-with-env", (name,))


def forgets_healthy(after: int) -> Behaviour:
    """Runs well for so many seconds of the cluster; then it lives on without what the probes ask for."""
    return Behaviour("forgets-healthy", (str(after),))


def fails(*lines: str, code: int = 1) -> Behaviour:
    """Logs these lines and ends with that code, always."""
    return Behaviour("fails", (str(code), *lines))


def finishes(*lines: str) -> Behaviour:
    """Logs these lines and is done."""
    return Behaviour("finishes", lines)


def finishes_with_env(name: str) -> Behaviour:
    """Is done where the variable is set; else it ends as `needs_env` does."""
    return Behaviour("finishes-with-env", (name,))


def floods() -> Behaviour:
    """Runs well, and logs without end, as fast as a shell can."""
    return Behaviour("floods")


def floods_then_fails(after: int, line: str, code: int = 1) -> Behaviour:
    """Logs as fast as a shell can for so many seconds of the cluster, then this line, and ends with that code."""
    return Behaviour("floods-then-fails", (str(after), line, str(code)))


def one_line() -> Behaviour:
    """Runs, logs for ever and as fast as a shell can, and never ends its line. It is not ready."""
    return Behaviour("one-line")


def garbles(line: str, code: int = 1) -> Behaviour:
    """Logs bytes that are no text (in the simulation, which knows text only, what a reader makes of them), then this
    line, and ends with that code."""
    return Behaviour("garbles", (line, str(code)))


# --- as scripts -----------------------------------------------------------------------------------------------------

_STARTING = ("INFO  starting", "INFO  serving")
_ACCESS = "INFO  GET /healthz 200"
_DONE = "INFO  done"


def _say(*lines: str) -> str:
    return "\n".join(f"printf '%s\\n' {shlex.quote(line)}" for line in lines)


def _rest(seconds: int) -> str:
    return f"sleep {seconds} & wait $!"


_LIVE = f"while :; do {_rest(10)}; {_say(_ACCESS)}; done"
_SERVE = f"{_say(*_STARTING)}\ntouch {HEALTHY}\n{_LIVE}"


def _traceback(name: str) -> tuple[str, ...]:
    return (
        "INFO  loading the configuration from the environment",
        "Traceback (most recent call last):",
        '  File "/app/main.py", line 12, in <module>',
        f'    database = connect(os.environ["{name}"])',
        '  File "<frozen os>", line 685, in __getitem__',
        f"KeyError: '{name}'",
    )


def _needs_env_script(name: str, then: str = _SERVE) -> str:
    return f'if [ -z "${{{name}}}" ]; then\n{_say(*_traceback(name))}\nexit 1\nfi\n{then}'


def _ready_with_env_script(name: str) -> str:
    return f'{_say(*_STARTING)}\nif [ -n "${{{name}}}" ]; then touch {HEALTHY}; fi\n{_LIVE}'


def _eats_memory_script() -> str:
    """A text that doubles up to 64 MiB; the shell holds some copies of it at a time."""
    doubled = f'n=0; x=0123456789abcdef\nwhile [ $n -lt 22 ]; do x="$x$x"; n=$((n+1)); {_rest(0)}; done'
    return f"{_say('INFO  starting', 'INFO  loading the index into memory')}\n{_rest(1)}\n{doubled}\n{_SERVE}"


def _forgets_script(after: str) -> str:
    return f"{_say(*_STARTING)}\ntouch {HEALTHY}\n{_rest(int(after))}\nrm {HEALTHY}\n{_LIVE}"


_GARBAGE = r"\000\001\377\376\302\033[31mred\033[0m\r\342\202\355\240\200"
"""NUL, controls, colours and a lone carriage return, and what UTF-8 never is: 0xff, half a character, a surrogate."""


def _flood_then_fail_script(after: str, line: str, code: str) -> str:
    """A flood of its own process, which is ended from outside: looking at a clock would slow it down."""
    flood = f"while :; do {_say(_FLOOD)}; done & flood=$!"
    return f"{flood}\n{_rest(int(after))}\nkill $flood\n{_say(line)}\nexit {int(code)}"


def _garbling_script(line: str, code: str) -> str:
    return f"printf '{_GARBAGE}\\n{_GARBAGE}'\nprintf '\\n'\n{_say(line)}\nexit {int(code)}"


_SCRIPTS: Mapping[Name, Callable[..., str]] = {
    "serving": lambda: _SERVE,
    "needs-env": _needs_env_script,
    "eats-memory": _eats_memory_script,
    "never-ready": lambda: f"{_say(*_STARTING)}\n{_LIVE}",
    "ready-with-env": _ready_with_env_script,
    "forgets-healthy": _forgets_script,
    "fails": lambda code, *lines: f"{_say(*lines)}\nexit {int(code)}",
    "finishes": lambda *lines: _say(*lines),
    "finishes-with-env": lambda name: _needs_env_script(name, _say(_DONE)),
    "floods": lambda: f"{_say(*_STARTING)}\ntouch {HEALTHY}\nwhile :; do {_say(_FLOOD)}; done",
    "floods-then-fails": _flood_then_fail_script,
    "one-line": lambda: f"while :; do printf '%s' {shlex.quote(_FLOOD)}; done",
    "garbles": _garbling_script,
}


# --- as programs of the simulation ----------------------------------------------------------------------------------


def _at_once(*lines: str) -> tuple[tuple[float, str], ...]:
    return tuple((0.1, line) for line in lines)


_HAS_FILE = (0.1, HEALTHY, "")
_WELL = images.Run(lines=_at_once(*_STARTING), repeat=(_ACCESS,), files=(_HAS_FILE,))


_NEVER_READY = images.Run(
    lines=_at_once(*_STARTING), repeat=(_ACCESS,), ready_after=None, live_until=0.0, probe_error=UNHEALTHY
)
_FINISHED = images.Run(lines=_at_once(_DONE), exit_after=0.5)


def _with_env(name: str, well: images.Run, without: images.Run) -> images.Program:
    return lambda launch: well if launch.env.get(name) else without


def _crash(name: str) -> images.Run:
    return images.Run(lines=_at_once(*_traceback(name)), exit_after=0.5, exit_code=1)


def _eats_memory(launch: images.Launch) -> images.Run:
    if launch.memory_limit is None or launch.memory_limit >= _ENOUGH:
        return _WELL
    lines = _at_once("INFO  starting", "INFO  loading the index into memory")
    used = launch.memory_limit * 0.996
    return images.Run(lines=lines, exit_after=3.0, exit_code=137, reason="OOMKilled", used_memory=used)


def _forgets(after: str) -> images.Program:
    until = float(after)
    found = images.Run(lines=_at_once(*_STARTING), repeat=(_ACCESS,), files=(_HAS_FILE, (until, HEALTHY, None)))
    return lambda _: found


def _ends(code: str, *lines: str) -> images.Program:
    return lambda _: images.Run(lines=_at_once(*lines), exit_after=0.5, exit_code=int(code))


def _always(run: images.Run) -> Callable[[], images.Program]:
    return lambda: lambda _: run


def _floods_then_fails(after: str, line: str, code: str) -> images.Program:
    times = 2000
    flood = tuple((float(after) * number / times, _FLOOD) for number in range(times))
    found = images.Run(lines=(*flood, (float(after), line)), exit_after=float(after) + 0.1, exit_code=int(code))
    return lambda _: found


def _garbles(line: str, code: str) -> images.Program:
    garbage = "\x00\x01\ufffd\ufffd\ufffd\x1b[31mred\x1b[0m\r\ufffd\ufffd"
    return _ends(code, garbage, garbage, line)


_PROGRAMS: Mapping[Name, Callable[..., images.Program]] = {
    "serving": _always(_WELL),
    "needs-env": lambda name: _with_env(name, _WELL, _crash(name)),
    "eats-memory": lambda: _eats_memory,
    "never-ready": _always(_NEVER_READY),
    "ready-with-env": lambda name: _with_env(name, _WELL, _NEVER_READY),
    "forgets-healthy": _forgets,
    "fails": _ends,
    "finishes": lambda *lines: _ends("0", *lines),
    "finishes-with-env": lambda name: _with_env(name, _FINISHED, _crash(name)),
    "floods": _always(images.Run(lines=_at_once(*_STARTING), repeat=(_FLOOD,), period=0.01)),
    "floods-then-fails": _floods_then_fails,
    "one-line": _always(images.Run(lines=_at_once(_FLOOD * 20_000), ready_after=None)),
    "garbles": _garbles,
}
