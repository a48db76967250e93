"""Detectors of somebody's own, found when the settings are read: the file of rules, and entry points of other packages.

Called by `bot.settings`; names every fault in one go. Python detectors are code that whoever installs Watchkeeper has
installed beside it: they run in its process, with its rights. docs/custom-detectors.md tells people all this.
"""

import importlib.metadata
import time
from collections.abc import Iterable
from pathlib import Path

from k8s import custom, custom_actions, detection, ruling

GROUP = "watchkeeper.detectors"
ACTIONS = "watchkeeper.actions"
VARIABLE = "WATCHKEEPER_DETECTORS_FILE"


def load(
    path: Path | None, entries: Iterable[importlib.metadata.EntryPoint] | None = None
) -> tuple[custom.Custom, tuple[str, ...]]:
    """The detectors of the file and of the entry points (those that are installed, unless given), and all faults.

    A fault is one line: the variable and `rules.yaml:7: what is wrong and what to do`, or the package and entry point.
    """
    found = importlib.metadata.entry_points(group=GROUP) if entries is None else entries
    plugins, faults = _plugins(sorted(found, key=lambda entry: entry.name))
    taken = [*detection.KINDS, *(kind for plugin in plugins for kind in plugin.kinds)]
    rules, wrong = _rules(path, taken)
    return custom.of(rules, plugins, time.monotonic), (*wrong, *faults)


def _rules(path: Path | None, taken: list[str]) -> tuple[tuple[ruling.Rule, ...], tuple[str, ...]]:
    if path is None:
        return (), ()
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return (), (f"{VARIABLE}: {path.name}:1: this is not UTF-8: write the file as plain text",)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        return (), (f"{VARIABLE}: the file cannot be read ({reason}): set it to one that is there and may be read",)
    rules, faults = ruling.parse(text, path.name, taken)
    return rules, tuple(f"{VARIABLE}: {fault}" for fault in faults)


def _plugins(entries: Iterable[importlib.metadata.EntryPoint]) -> tuple[list[custom.Guarded], list[str]]:
    plugins: list[custom.Guarded] = []
    faults: list[str] = []
    taken = {kind.lower() for kind in detection.KINDS}
    for entry in entries:
        package = entry.dist.name if entry.dist is not None else entry.module
        source = f"{package}: {entry.name}"
        try:
            plugin = custom.Guarded(entry.load(), source)
        except custom.Faulty as fault:
            faults.append(f"detector {entry.name} of package {package} ({entry.value}) is no detector: {fault}")
            continue
        except (Exception, SystemExit) as error:  # noqa: BLE001 - other people's code
            told = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            faults.append(
                f"detector {entry.name} of package {package} ({entry.value}) cannot be loaded ({told}): "
                f"repair it, or uninstall {package}"
            )
            continue
        if double := [kind for kind in plugin.kinds if kind.lower() in taken]:
            faults.append(
                f"detector {entry.name} of package {package} ({entry.value}) has the kind {double[0]}, which is taken: "
                f"uninstall {package}, or choose another name in it"
            )
            continue
        taken.update(kind.lower() for kind in plugin.kinds)
        plugins.append(plugin)
    return plugins, faults


def actions(
    entries: Iterable[importlib.metadata.EntryPoint] | None = None,
) -> tuple[tuple[custom_actions.Guarded, ...], tuple[str, ...]]:
    """The actions of the entry points (those that are installed, unless given), and all faults, one line each."""
    found = importlib.metadata.entry_points(group=ACTIONS) if entries is None else entries
    kept: dict[str, custom_actions.Guarded] = {}
    faults: list[str] = []
    for entry in sorted(found, key=lambda entry: entry.name):
        package = entry.dist.name if entry.dist is not None else entry.module
        which = f"action {entry.name} of package {package} ({entry.value})"
        try:
            action = custom_actions.Guarded(entry.load(), f"{package}: {entry.name}")
        except custom_actions.Faulty as fault:
            faults.append(f"{which} is no action: {fault}: repair it, or uninstall {package}")
            continue
        except (Exception, SystemExit) as error:  # noqa: BLE001 - other people's code
            told = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            faults.append(f"{which} cannot be loaded ({told}): repair it, or uninstall {package}")
            continue
        if action.name in kept:
            faults.append(f"{which} has the name {action.name}, which is taken: uninstall {package}, or rename it")
            continue
        kept[action.name] = action
    return tuple(kept.values()), tuple(faults)
