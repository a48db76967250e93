"""Detectors of somebody's own are read with the settings: faults are named, kinds are known everywhere."""

import asyncio
import importlib.metadata
import json
import os
import re
import sys
from pathlib import Path

import pytest

from bot import __main__ as cli
from bot import errors, plugins, settings
from demo import cluster as simulation

RULES = """\
- kind: CertificateNotReady
  resource: {apiVersion: cert-manager.io/v1, kind: Certificate}
  when: object.?status.?conditions.orValue([]).exists(c, c.type == "Ready" && c.status != "True")
  message: '"Certificate " + object.metadata.name + " is not ready"'
  grace: 15m
"""
PLACE = "WATCHKEEPER_DETECTORS_FILE: rules.yaml"
DETECTOR = """\
from datetime import timedelta
from k8s import symptoms
KINDS = (symptoms.KindInfo("QueueStuck", "P2", timedelta(minutes=1), "https://example.org", "a queue does not move"),)
reads = ("pods",)
def detect(snapshot, index):
    return []
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return path


def _faults(**environ: str) -> list[str]:
    with pytest.raises(errors.ConfigurationError) as raised:
        settings.load(environ)
    return list(raised.value.faults)


def installed(folder: Path, value: str, name: str = "queues") -> None:
    """A distribution `acme-detectors` with this entry point, as pip leaves it in a folder of sys.path."""
    info = folder / "acme_detectors-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-detectors\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{plugins.GROUP}]\n{name} = {value}\n")


def entries(folder: Path) -> list[importlib.metadata.EntryPoint]:
    (found,) = importlib.metadata.distributions(path=[str(folder)])
    return list(found.entry_points.select(group=plugins.GROUP))


def test_without_a_file_and_without_packages_there_is_nothing_of_ones_own() -> None:
    assert settings.load({}).kinds.own.kinds == {}


def test_the_rules_of_the_file_are_asked_and_listed(rules: Path) -> None:
    own = settings.load({"WATCHKEEPER_DETECTORS_FILE": str(rules)}).kinds.own
    assert list(own.kinds) == ["CertificateNotReady"]
    assert own.kinds["CertificateNotReady"].source == "rules.yaml:1"
    assert [str(one) for one in own.wanted] == ["cert-manager.io/v1/Certificate"]


def test_settings_by_kind_know_the_kinds_of_ones_own_and_only_there(rules: Path) -> None:
    chosen = settings.load(
        {
            "WATCHKEEPER_DETECTORS_FILE": str(rules),
            "WATCHKEEPER_GRACES": "certificatenotready=3m",
            "WATCHKEEPER_SEVERITIES": "CertificateNotReady=P1",
            "WATCHKEEPER_KINDS_OFF": "CertificateNotReady",
        }
    )
    assert list(chosen.graces) == ["CertificateNotReady"]
    assert not chosen.kinds.looks_for("CertificateNotReady")
    (fault,) = _faults(WATCHKEEPER_KINDS_OFF="CertificateNotReady")
    assert "names no failure kind" in fault


def test_every_fault_of_the_file_ends_the_start_with_its_line(rules: Path) -> None:
    rules.write_text(RULES.replace("grace", "grade") + "- kind: NotReady\n")
    told = _faults(WATCHKEEPER_DETECTORS_FILE=str(rules), WATCHKEEPER_LISTEN_PORT="eighty")
    assert told[0].startswith("WATCHKEEPER_LISTEN_PORT is malformed")
    assert told[1] == f"{PLACE}:5: `grade` is no key of a rule (did you mean `grace`?)"
    assert f"{PLACE}:6: the rule has no `resource`: add it" in told
    assert any(line.startswith(f"{PLACE}:6: `kind` NotReady is taken by the catalogue") for line in told)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_is_not_there_or_no_text_is_a_fault(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "rules.yaml"
    if content is not None:
        path.write_bytes(content)
    (fault,) = _faults(WATCHKEEPER_DETECTORS_FILE=str(path))
    assert fault.startswith("WATCHKEEPER_DETECTORS_FILE: ")
    assert "set it to one that is there" in fault or "write the file as plain text" in fault


def test_the_command_lists_kinds_of_ones_own_with_their_line(
    rules: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHKEEPER_DETECTORS_FILE", str(rules))
    assert cli.main(["kinds"]) == 0
    table = capsys.readouterr().out
    assert re.search(r"^CertificateNotReady +yes +15m +P2 ", table, re.MULTILINE)
    assert "    from rules.yaml:1\n" in table
    assert cli.main(["kinds", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["kinds"][-1]["source"] == "rules.yaml:1"
    rules.write_text("- kind: x\n")
    assert cli.main(["config"]) == 2
    assert f"{PLACE}:1: `kind` is no name of a failure kind" in capsys.readouterr().err


def test_an_entry_point_is_loaded_with_its_package_as_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "acme_queues.py").write_text(DETECTOR)
    installed(tmp_path, "acme_queues")
    monkeypatch.syspath_prepend(tmp_path)
    own, faults = plugins.load(None, entries(tmp_path))
    assert faults == ()
    assert own.kinds["QueueStuck"].source == "acme-detectors: queues"
    assert own.rests == {"QueueStuck": ("pods",)}
    found = settings.load({}).kinds.own  # as it is installed: found without being named
    assert list(found.kinds) == ["QueueStuck"]


@pytest.mark.parametrize(
    ("code", "value", "told"),
    [
        ("", "acme_bad_a", "is no detector: it has no KINDS"),
        (
            "raise RuntimeError('no licence')",
            "acme_bad_b",
            "cannot be loaded (RuntimeError: no licence): repair it, or un",
        ),
        ("", "acme_bad_c:nothing", "cannot be loaded (AttributeError: "),
        ("", "acme_not_there", "cannot be loaded (ModuleNotFoundError: "),
        ("raise SystemExit(1)", "acme_bad_d", "cannot be loaded (SystemExit: 1)"),
        (
            DETECTOR.replace("QueueStuck", "NotReady"),
            "acme_bad_e",
            "has the kind NotReady, which is taken: uninstall acme",
        ),
    ],
)
def test_a_fault_of_an_entry_point_names_it_and_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, value: str, told: str
) -> None:
    module = value.partition(":")[0]
    if module != "acme_not_there":
        (tmp_path / f"{module}.py").write_text(code)
    installed(tmp_path, value)
    monkeypatch.syspath_prepend(tmp_path)
    own, (fault,) = plugins.load(None, entries(tmp_path))
    assert own.kinds == {}
    assert fault.startswith(f"detector queues of package acme-detectors ({value}) ")
    assert told in fault


def test_a_rule_may_not_take_the_kind_of_an_entry_point(
    tmp_path: Path, rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "acme_queues_two.py").write_text(DETECTOR.replace("QueueStuck", "CertificateNotReady"))
    installed(tmp_path, "acme_queues_two")
    monkeypatch.syspath_prepend(tmp_path)
    own, (fault,) = plugins.load(rules, entries(tmp_path))
    assert fault.startswith(f"{PLACE}:1: `kind` CertificateNotReady is taken")
    assert own.kinds["CertificateNotReady"].source == "acme-detectors: queues"


@pytest.fixture
def marking(rules: Path) -> Path:
    """A file of two rules, one of them over what the simulated cluster has."""
    rules.write_text(
        "- kind: ConfigMapMarked\n"
        "  resource: {apiVersion: v1, kind: ConfigMap}\n"
        "  when: has(object.data) && 'broken' in object.data\n"
        "  message: object.data.broken\n" + RULES
    )
    return rules


async def test_a_sweep_from_the_command_line_asks_the_rules(tmp_path: Path, marking: Path) -> None:
    marked = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "payments"}}
    async with simulation.SimulatedCluster() as cluster:
        cluster.apply({**marked, "data": {"broken": "the disk is full"}})
        kubeconfig = cluster.write_kubeconfig(tmp_path / "kubeconfig")
        asked = [sys.executable, "-m", "bot", "sweep", "--kubeconfig", str(kubeconfig), "-o", "json", "--context"]
        environ = os.environ | {plugins.VARIABLE: str(marking)}
        told = {}
        for context in ("demo-admin", "demo-reader"):
            process = await asyncio.create_subprocess_exec(
                *asked, context, stdout=asyncio.subprocess.PIPE, env=environ, cwd=Path(__file__).parents[2]
            )
            async with asyncio.timeout(60):
                out, _ = await process.communicate()
            told[context] = (process.returncode, json.loads(out))
    code, found = told["demo-admin"]
    assert (code, [(one["kind"], one["message"]) for one in found["findings"]]) == (
        1,
        [("ConfigMapMarked", "the disk is full")],
    )
    assert found["sweep"]["degraded"] == {}
    code, found = told["demo-reader"]
    assert (code, found["findings"], list(found["sweep"]["degraded"])) == (2, [], ["v1/ConfigMap"])
