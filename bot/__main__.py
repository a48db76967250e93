"""The command `watchkeeper` (= `python -m bot`): reads arguments and settings, and calls `bot.main`.

Exit codes: 0 done (of a sweep: healthy), 1 a sweep found something (of a check: not as it should be), 2 it could not be
done: wrong arguments or settings, cluster or database away. 130 after ctrl-C.

Commands of other distributions and of the demo are found by the entry point group `watchkeeper.commands`
(`main(argv) -> exit code`); nothing here imports them.
"""

import argparse
import asyncio
import contextlib
import difflib
import importlib.metadata
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TextIO

from bot import errors, kinds, settings, telemetry, telling, terminal
from bot.domain import looks

GROUP = "watchkeeper.commands"
COULD_NOT = 2
INTERRUPTED = 130
"""128 + SIGINT, as shells count it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; never raises for what a person or an outside system did."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a character must not end us
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except errors.WatchkeeperError as error:
        _complain(str(error))
        return COULD_NOT
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough of it. Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return COULD_NOT
    except Exception:  # noqa: BLE001 - the outermost boundary: Python's own answer to a bug is a 1, "findings"
        _complain(traceback.format_exc())
        return COULD_NOT
    return code


def _run(arguments: list[str]) -> int:
    added = _added()
    first = arguments[0] if arguments else "--help"
    if first in added:
        return _run_added(added[first], arguments[1:])
    if not first.startswith("-") and first not in COMMANDS:
        near = difflib.get_close_matches(first, [*COMMANDS, *added], 1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join([*COMMANDS, *added])}"
        raise errors.ConfigurationError(f"there is no command {first!r}; {hint}")
    parsed = _parser([name for name, entry in added.items() if _present(entry)]).parse_args(arguments or ["--help"])
    command: Callable[[argparse.Namespace], int] = parsed.command
    return command(parsed)


# --- commands. Each imports bot.main for itself: it brings every SDK in, seconds that `--help` need not take.


def _serve(_parsed: argparse.Namespace) -> int:
    loaded = settings.load(purpose="serve")
    _start_logging(loaded)
    from bot import main as composition

    return asyncio.run(composition.serve(loaded))


def _sweep(parsed: argparse.Namespace) -> int:
    try:
        loaded = settings.load()
        look = _look(loaded, parsed)
    except (errors.ClusterUnavailable, errors.ConfigurationError) as error:
        if parsed.output == "json":
            nothing = terminal.failure(str(error), cluster=parsed.context or "", now=datetime.now(UTC))
            print(terminal.encoded(nothing), end="")
        raise
    if parsed.output == "json":
        print(terminal.encoded(terminal.document(look)), end="")
    else:
        print(terminal.table(look, width=_width(sys.stdout), colour=_colour(loaded, sys.stdout)), end="")
    return terminal.exit_code(look, scoped=bool(parsed.namespace))


def _look(loaded: settings.Settings, parsed: argparse.Namespace) -> looks.Look:
    # The look itself says what it could not see; libraries that warn of the same would only say it twice.
    telemetry.configure(stream=sys.stderr, level="ERROR", form=loaded.log_format, secrets=loaded.secrets)
    from bot import main as composition

    with Progress(sys.stderr) as progress:
        return asyncio.run(
            composition.look_once(
                loaded, parsed.kubeconfig, parsed.context, tuple(parsed.namespace), parsed.diagnose, progress.say
            )
        )


def _config(parsed: argparse.Namespace) -> int:
    if parsed.markdown:
        print(telling.markdown(), end="")
        return 0
    loaded = settings.load()
    rows = telling.describe(loaded)
    name, value = (max(len(text) for text in column) for column in ([r.name for r in rows], [r.value for r in rows]))
    for row in rows:
        print(f"{row.name:<{name}}  {row.value:<{min(value, 60)}}  {row.source}")
    for line in telling.warnings(loaded):
        print(f"\nnote: {line}", end="")
    print()
    for line in settings.faults(purpose="serve"):
        print(f"serve needs: {line}")
    return 0


def _kinds(parsed: argparse.Namespace) -> int:
    chosen = settings.load().kinds
    if parsed.output == "json":
        print(terminal.encoded(kinds.document(chosen)), end="")
    else:
        print(kinds.table(chosen, width=_width(sys.stdout)), end="")
    return 0


def _migrate(parsed: argparse.Namespace) -> int:
    loaded = settings.load()
    _start_logging(loaded)
    from bot import main as composition

    return asyncio.run(composition.migrate(loaded, parsed.check))


def _audit(_parsed: argparse.Namespace) -> int:
    loaded = settings.load()
    _start_logging(loaded)
    from bot import main as composition

    return asyncio.run(composition.audit_verify(loaded))


def _version(_parsed: argparse.Namespace) -> int:
    print(f"watchkeeper {version()}")
    return 0


COMMANDS: Mapping[str, str] = {
    "serve": "run the bot until it is told to stop",
    "sweep": "look at a cluster once, with neither Slack nor database",
    "config": "print the settings that hold now, secrets masked",
    "kinds": "list the failure kinds: what each is, and its grace and severity by the settings that hold now",
    "migrate": "bring the database's schema up to date",
    "audit": "check the audit trail's hash chain",
    "version": "print the version",
}


def _parser(added: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="watchkeeper",
        description="The on-call watch of a Kubernetes cluster, living in Slack.",
        epilog="Settings are environment variables: see `watchkeeper config`. "
        + (f"Also here: {', '.join(added)}." if added else ""),
    )
    parser.add_argument("--version", action="version", version=f"watchkeeper {version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    commands.add_parser("serve", help=COMMANDS["serve"]).set_defaults(command=_serve)
    sweep = commands.add_parser(
        "sweep",
        help=COMMANDS["sweep"],
        epilog="Exit code: 0 healthy, 1 findings, 2 could not look (or not at all of it).",
    )
    sweep.add_argument("--kubeconfig", type=Path, metavar="F", help="kubeconfig file (default: as kubectl)")
    sweep.add_argument("--context", metavar="C", help="context of the kubeconfig (default: its current one)")
    sweep.add_argument(
        "-n", "--namespace", action="append", default=[], metavar="NS", help="only this namespace, or glob; repeatable"
    )
    sweep.add_argument("--diagnose", action="store_true", help="collect evidence, say the cause and what would help")
    sweep.add_argument("-o", "--output", choices=("table", "json"), default="table", help="default: table")
    sweep.set_defaults(command=_sweep)
    config = commands.add_parser("config", help=COMMANDS["config"])
    config.add_argument("--markdown", action="store_true", help="print the page docs/configuration.md instead")
    config.set_defaults(command=_config)
    listing = commands.add_parser("kinds", help=COMMANDS["kinds"])
    listing.add_argument("-o", "--output", choices=("table", "json"), default="table", help="default: table")
    listing.set_defaults(command=_kinds)
    migrate = commands.add_parser("migrate", help=COMMANDS["migrate"])
    migrate.add_argument("--check", action="store_true", help="change nothing; exit code 1 where it is not up to date")
    migrate.set_defaults(command=_migrate)
    audit = commands.add_parser("audit", help=COMMANDS["audit"])
    audit.add_argument("what", choices=("verify",))
    audit.set_defaults(command=_audit)
    commands.add_parser("version", help=COMMANDS["version"]).set_defaults(command=_version)
    return parser


# --- commands of others


def _added() -> dict[str, importlib.metadata.EntryPoint]:
    """By name; ours cannot be replaced."""
    found = importlib.metadata.entry_points(group=GROUP)
    return {entry.name: entry for entry in found if entry.name not in COMMANDS}


def _present(entry: importlib.metadata.EntryPoint) -> bool:
    """Whether its package is there: the container image leaves the demo out, but not its entry point."""
    return importlib.util.find_spec(entry.module.partition(".")[0]) is not None


def _run_added(entry: importlib.metadata.EntryPoint, arguments: list[str]) -> int:
    if not _present(entry):
        raise errors.ConfigurationError(f"{entry.name!r} is not part of this installation; run it from a checkout")
    command: Callable[[list[str]], int] = entry.load()
    return command(arguments)


# --- the terminal


class Progress:
    """One line on a terminal that is overwritten; silent where there is none. Gone when the work is done."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = stream.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self._write("\r\x1b[K")

    def say(self, text: str) -> None:
        line = terminal.clean(text)
        self._write(f"\r\x1b[K{line[: _width(self._stream) - 1]}")

    def _write(self, text: str) -> None:
        if self._shown:
            with contextlib.suppress(OSError):  # a terminal that was closed is no reason to stop looking
                self._stream.write(text)
                self._stream.flush()


def _width(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 100
    except (OSError, ValueError):  # not a terminal, or not even a file
        return 100


def _colour(loaded: settings.Settings, stream: TextIO) -> bool:
    return stream.isatty() and not loaded.no_color


def _start_logging(loaded: settings.Settings) -> None:
    telemetry.configure(
        stream=sys.stderr,
        level=loaded.log_level,
        form=loaded.log_format,
        secrets=loaded.secrets,
        colour=_colour(loaded, sys.stderr),
    )


def _complain(text: str) -> None:
    for line in text.splitlines() or ["it could not be done"]:
        print(f"watchkeeper: {terminal.clean(line)}", file=sys.stderr)


def version() -> str:
    try:
        return importlib.metadata.version("watchkeeper")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


if __name__ == "__main__":
    sys.exit(main())
