"""The command `watchkeeper` (= `python -m bot`): reads arguments and settings, and calls `bot.main` or `bot.auditing`.

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
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Self, TextIO

from bot import access_page, errors, impersonation, kinds, policy_page, settings, telemetry, telling, terminal
from bot.domain import looks
from k8s import identities, policy

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


def _policy_check(parsed: argparse.Namespace) -> int:
    file = parsed.file or settings.policy_file()

    def held(given: Path | None) -> policy.Policy:
        return settings.load(policy_file=given).policy

    code, told = policy_page.check(file, held, datetime.now(UTC), width=_width(sys.stdout))
    print(terminal.clean(told, lines=True))
    return code


def _policy_show(parsed: argparse.Namespace) -> int:
    rules = settings.load().policy
    if parsed.output == "json":
        print(terminal.encoded(policy_page.document(rules, settings.policy_file())), end="")
    else:
        print(terminal.clean(policy_page.text(rules, datetime.now(UTC), width=_width(sys.stdout)), lines=True))
    return 0


def _policy_parser(commands: Any) -> None:
    asked = commands.add_parser("policy", help=COMMANDS["policy"])
    kinds_of = asked.add_subparsers(required=True, metavar="WHAT")
    check = kinds_of.add_parser(
        "check",
        help="say what a policy file means, or what is wrong with it, line by line",
        epilog="Exit code: 0 it is good, 1 it has faults, 2 it could not be read.",
    )
    check.add_argument("file", type=Path, nargs="?", metavar="FILE", help="default: the one that is set")
    check.set_defaults(command=_policy_check)
    show = kinds_of.add_parser("show", help="say what may be done by the policy and the settings that hold now")
    show.add_argument("-o", "--output", choices=("text", "json"), default="text", help="default: text")
    show.set_defaults(command=_policy_show)


def _rbac(parsed: argparse.Namespace) -> int:
    if faults := access_page.file_faults(parsed.policy or settings.policy_file()):
        for fault in faults:
            _complain(fault)
        return 1
    known, unknown = identities.OFF, tuple[str, ...]()
    if parsed.impersonation_file is not None:
        known, unknown = impersonation.of_file(parsed.impersonation_file)
    if unknown:
        for line in unknown:
            _complain(line)
        return 1
    wanted = access_page.Wanted(parsed.name_prefix, parsed.cluster, parsed.namespaces, parsed.impersonate, known)
    print(access_page.text(settings.load(policy_file=parsed.policy).policy, wanted), end="")
    return 0


def _rbac_parser(commands: Any) -> None:
    asked = commands.add_parser(
        "rbac",
        help=COMMANDS["rbac"],
        epilog="Exit code: 0 printed, 1 the policy file has faults, 2 it could not be read (docs/rbac.md).",
    )
    asked.add_argument("--policy", type=Path, metavar="F", help="policy file (default: the one that is set)")
    asked.add_argument("--cluster", default="", metavar="C", help="the cluster's name, where rules name clusters")
    asked.add_argument(
        "--namespaces", type=_typed(access_page.namespaces), default=(), metavar="A,B", help="only in these, by Roles"
    )
    asked.add_argument(
        "--impersonate",
        type=_typed(access_page.impersonated),
        default=(),
        metavar="USER,group:G",
        help="a role besides, to impersonate these users and groups by name",
    )
    asked.add_argument(
        "--impersonation-file", type=Path, metavar="F", help="the same for all names of this impersonation file"
    )
    asked.add_argument(
        "--name-prefix",
        type=_typed(access_page.prefix),
        default=access_page.PREFIX,
        metavar="P",
        help=f"how names begin (default: {access_page.PREFIX})",
    )
    asked.set_defaults(command=_rbac)


def _typed(check: Callable[[str], Any]) -> Callable[[str], Any]:
    """A check of one text, for argparse, which does not tell what a ValueError says."""

    def typed(text: str) -> Any:
        try:
            return check(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return typed


def _migrate(parsed: argparse.Namespace) -> int:
    loaded = settings.load()
    _start_logging(loaded)
    from bot import main as composition

    return asyncio.run(composition.migrate(loaded, parsed.check))


def _audit_verify(parsed: argparse.Namespace) -> int:
    from bot import auditing

    if parsed.file is not None:
        try:
            with parsed.file.open("rb") as lines:
                return auditing.verify_lines(lines, _say, excerpt=parsed.excerpt)
        except OSError as error:
            raise errors.ConfigurationError(f"{parsed.file} cannot be read: {error.strerror}") from error
    return asyncio.run(auditing.verify(_logging(), _say))


def _audit_export(parsed: argparse.Namespace) -> int:
    from bot import auditing

    wanted = auditing.Wanted(parsed.since, parsed.until, parsed.cluster, parsed.incident)
    return asyncio.run(auditing.export(_logging(), wanted, sys.stdout.buffer.write, datetime.now(UTC)))


def _audit_prune(parsed: argparse.Namespace) -> int:
    from bot import auditing

    return asyncio.run(auditing.prune(_logging(), parsed.before, _say, datetime.now(UTC), dry=parsed.dry_run))


def _logging() -> settings.Settings:
    """The settings, with the log started by them."""
    loaded = settings.load()
    _start_logging(loaded)
    return loaded


def _say(line: str) -> None:
    print(terminal.clean(line))


def _audit_parser(commands: Any) -> None:
    audit = commands.add_parser("audit", help=COMMANDS["audit"])
    kinds_of = audit.add_subparsers(required=True, metavar="WHAT")
    verify = kinds_of.add_parser(
        "verify",
        help="follow every chain of hashes, and say what keeps the trail from the application",
        epilog="Exit code: 0 whole, 1 broken, 2 could not look.",
    )
    verify.add_argument("--file", type=Path, metavar="F", help="check this export instead, without a database")
    verify.add_argument("--excerpt", action="store_true", help="entries may be missing, as in that of an incident")
    verify.set_defaults(command=_audit_verify)
    export = kinds_of.add_parser(
        "export",
        help="write the trail to standard output as JSON Lines (docs/audit.md)",
        epilog="T is a day or a moment, UTC unless told: 2026-11-21, 2026-11-21T03:00:00+01:00.",
    )
    export.add_argument("--since", type=_moment, metavar="T", help="from the first entry at or after this moment")
    export.add_argument("--until", type=_moment, metavar="T", help="to the last entry before this moment")
    export.add_argument("--cluster", default="", metavar="C", help="the chain of this cluster; - for the bot's own")
    export.add_argument("--incident", type=_incident, metavar="WK-12", help="only what is of this incident")
    export.set_defaults(command=_audit_export)
    prune = kinds_of.add_parser(
        "prune",
        help="drop the oldest months; what is left can still be proved",
        epilog="As the owner of the tables, and only where every chain is whole. Export them first.",
    )
    prune.add_argument("--before", type=_month, required=True, metavar="YYYY-MM", help="the first month that is kept")
    prune.add_argument("--dry-run", action="store_true", help="say what would be dropped, and drop nothing")
    prune.set_defaults(command=_audit_prune)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no moment such as 2026-11-21 or 2026-11-21T03:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no month such as 2026-11") from None


def _incident(text: str) -> int:
    digits = text.upper().removeprefix("WK-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        raise argparse.ArgumentTypeError(f"{text!r} is no incident such as WK-12")
    return int(digits)


def _version(_parsed: argparse.Namespace) -> int:
    print(f"watchkeeper {version()}")
    return 0


COMMANDS: Mapping[str, str] = {
    "serve": "run the bot until it is told to stop",
    "sweep": "look at a cluster once, with neither Slack nor database",
    "config": "print the settings that hold now, secrets masked",
    "kinds": "list the failure kinds: what each is, and its grace and severity by the settings that hold now",
    "policy": "check a policy file, or say what may be done by the one that holds now",
    "rbac": "print the cluster roles that the catalogue takes under the policy, as YAML",
    "migrate": "bring the database's schema up to date",
    "audit": "check, export or prune the audit trail",
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
    _policy_parser(commands)
    _rbac_parser(commands)
    migrate = commands.add_parser("migrate", help=COMMANDS["migrate"])
    migrate.add_argument("--check", action="store_true", help="change nothing; exit code 1 where it is not up to date")
    migrate.set_defaults(command=_migrate)
    _audit_parser(commands)
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
