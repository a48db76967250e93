"""A process of the cluster is started, found again, ended and started alike; another one with its id is left alone."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.cluster.places import Places
from tests.cluster.processes import Processes
from tests.cluster.saying import Failed

SLEEPS = (sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(600)",
)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "cache", tmp_path / "state")


@pytest.fixture
def processes(places: Places) -> Iterator[Processes]:
    """All that it started is ended."""
    found = Processes(places)
    yield found
    for name in found.names():
        found.stop(name, kill=True)


def identity(places: Places, name: str) -> dict[str, float]:
    found: dict[str, float] = json.loads((places.state / "run" / f"{name}.json").read_text())
    return found


def says(processes: Processes, name: str) -> None:
    processes.wait(name, lambda: "here" in processes.tail(name), 20)


def test_what_is_started_runs_apart_says_things_to_its_log_and_is_ended(places: Places, processes: Processes) -> None:
    processes.start("etcd", SLEEPS)
    says(processes, "etcd")
    pid = int(identity(places, "etcd")["pid"])
    assert processes.alive("etcd")
    assert psutil.Process(pid).cwd() == str(places.state)
    assert processes.log("etcd") == places.logs / "etcd.log"

    processes.stop("etcd")
    assert not processes.alive("etcd")
    assert not psutil.pid_exists(pid)
    assert processes.names() == ["etcd"]
    processes.stop("etcd")


def test_what_runs_is_not_started_twice(places: Places, processes: Processes) -> None:
    processes.start("etcd", SLEEPS)
    before = identity(places, "etcd")
    processes.start("etcd", SLEEPS)
    assert identity(places, "etcd") == before


def test_another_process_of_the_tests_finds_what_one_has_started(places: Places, processes: Processes) -> None:
    processes.start("etcd", SLEEPS)
    other = Processes(places)
    assert other.alive("etcd")
    other.stop("etcd")
    assert not processes.alive("etcd")


def test_it_is_started_again_with_the_same_words_and_environment(places: Places, processes: Processes) -> None:
    tells = (sys.executable, "-c", "import os, time; print('here', os.environ['COLOUR'], flush=True); time.sleep(600)")
    processes.start("etcd", tells, {"COLOUR": "green"})
    says(processes, "etcd")
    before = identity(places, "etcd")
    processes.stop("etcd")
    processes.again("etcd")
    processes.wait("etcd", lambda: processes.tail("etcd").count("here green") == 2, 20)
    assert identity(places, "etcd")["pid"] != before["pid"]


def test_what_does_not_end_when_told_is_killed(places: Places, processes: Processes) -> None:
    processes.start("stubborn", STUBBORN)
    says(processes, "stubborn")
    began = time.monotonic()
    processes.stop("stubborn", within=0.3)
    assert time.monotonic() - began >= 0.3
    assert not psutil.pid_exists(int(identity(places, "stubborn")["pid"]))


def test_a_process_that_was_given_the_id_since_is_neither_taken_for_it_nor_ended(
    places: Places, processes: Processes
) -> None:
    processes.start("innocent", SLEEPS)
    stale = identity(places, "innocent")
    stale["started"] -= 3600.0
    (places.state / "run" / "etcd.json").write_text(json.dumps(stale))
    assert not processes.alive("etcd")
    processes.stop("etcd", kill=True)
    assert processes.alive("innocent")


def test_what_ends_at_once_is_told_with_the_end_of_its_log(processes: Processes) -> None:
    dies = (sys.executable, "-c", "import sys; sys.exit('bind: address already in use')")
    processes.start("etcd", dies)
    with pytest.raises(Failed, match=r"etcd ended at once(.|\n)*bind: address already in use"):
        processes.wait("etcd", lambda: False, 20)


def test_what_is_late_is_told(processes: Processes) -> None:
    processes.start("etcd", SLEEPS)
    says(processes, "etcd")
    with pytest.raises(Failed, match=r"etcd is not ready after 0.2 s(.|\n)*here"):
        processes.wait("etcd", lambda: False, 0.2)


def test_a_component_gets_no_proxy_and_no_credentials_of_whoever_starts_it(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    tells = (sys.executable, "-c", "import os, time; print('here', sorted(os.environ), flush=True); time.sleep(600)")
    processes.start("etcd", tells)
    says(processes, "etcd")
    assert "HTTPS_PROXY" not in processes.tail("etcd")
    assert "PATH" in processes.tail("etcd")


def test_a_signal_to_whoever_started_it_does_not_reach_it(places: Places, processes: Processes) -> None:
    """Ctrl-C on a terminal goes to a whole process group."""
    processes.start("etcd", SLEEPS)
    pid = int(identity(places, "etcd")["pid"])
    assert os.getpgid(pid) == pid != os.getpgid(0)
    os.killpg(pid, signal.SIGTERM)
    processes.stop("etcd")
