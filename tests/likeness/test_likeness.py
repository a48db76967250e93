"""The simulated cluster shows what a real one showed when the cases were recorded, but for what `meant` lists.

All cases are played side by side, once for all tests of the module. With `--kubeconfig` the same holds the recordings
against a real cluster of today.
"""

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from tests.likeness import cases, comparing, meant, playing, recording, views
from tests.likeness.stage import Taken

Compared = Mapping[str, list[comparing.Difference] | AssertionError]
"""Case → all that differs from its recording, or how it failed to settle."""
REAL_TIME = 900
"""Seconds for all cases on a real cluster, where a back-off takes its time."""
_NAMES = [case.name for case in cases.CASES]
_PLAYED = [name for name in _NAMES if name not in meant.LEFT_OUT]
_SECRETS = ("BEGIN CERTIFICATE", "PRIVATE KEY", "eyJhbGciOi", '"token":')


@pytest.fixture(scope="module")
def simulated() -> Compared:
    return _compared([cases.BY_NAME[name] for name in _PLAYED], None)


@pytest.fixture(scope="module")
def real(request: pytest.FixtureRequest) -> Compared:
    return _compared(cases.CASES, request.config.getoption("--kubeconfig"))


def _compared(wanted: Iterable[cases.Case], kubeconfig: Path | None) -> Compared:
    played = asyncio.run(playing.play_all(wanted, kubeconfig))
    return {name: taken if isinstance(taken, AssertionError) else _held(name, taken) for name, taken in played.items()}


def _held(case: str, taken: Taken) -> list[comparing.Difference]:
    return comparing.differences(case, views.view(recording.load(case)), views.view(taken))


def _differences(case: str, found: Compared) -> list[comparing.Difference]:
    differences = found[case]
    if isinstance(differences, AssertionError):
        raise differences
    return differences


def test_every_case_is_recorded_and_every_recording_is_a_case() -> None:
    assert sorted(path.stem for path in recording.FOLDER.glob("*.json")) == sorted(_NAMES)


def test_what_is_left_out_is_a_case() -> None:
    assert meant.LEFT_OUT.keys() <= set(_NAMES)


@pytest.mark.parametrize("case", _NAMES)
def test_a_recording_holds_no_token_and_no_certificate(case: str) -> None:
    text = recording.path(case).read_text()
    assert [word for word in _SECRETS if word in text] == []


@pytest.mark.parametrize("case", _PLAYED)
def test_the_simulated_cluster_shows_what_the_real_one_showed(case: str, simulated: Compared) -> None:
    found = comparing.unmeant(_differences(case, simulated), meant.MEANT + meant.RACING)
    assert not found, "\n" + "\n".join(map(str, found))


@pytest.mark.parametrize("entry", meant.MEANT, ids=lambda entry: entry.paths)
def test_a_difference_that_is_meant_is_still_there(entry: comparing.Meant, simulated: Compared) -> None:
    assert any(entry.covers(each) for case in _PLAYED for each in _differences(case, simulated))


@pytest.mark.real
@pytest.mark.timeout(REAL_TIME)
@pytest.mark.parametrize("case", _NAMES)
def test_a_recording_is_still_true(case: str, real: Compared) -> None:
    found = comparing.unmeant(_differences(case, real), meant.ELSEWHERE + meant.RACING)
    assert not found, "\n" + "\n".join(map(str, found))
