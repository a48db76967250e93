"""Stories that fail are tried a second time, alone, where they are few; what is broken fails all the same."""

import sys
from pathlib import Path

import pytest

from tests.cluster import testing

LATE = """
import pathlib
def test_late():
    seen = pathlib.Path(__file__).with_name("seen")
    first = not seen.exists()
    seen.touch()
    assert not first
"""


class Suite:
    """Tests of a folder of their own, and how often each module was run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "pytest.ini").write_text("[pytest]\n")

    def add(self, name: str, text: str) -> None:
        told = f"open({str(self.folder / 'told')!r}, 'a').write({name!r} + chr(10))\n"
        (self.folder / f"test_{name}.py").write_text(f"{told}{text}")

    def tried(self) -> int:
        return testing.tried(
            [sys.executable, "-m", "pytest", "-q", "--rootdir", str(self.folder)], [], [str(self.folder)]
        )

    def runs(self, name: str) -> int:
        return (self.folder / "told").read_text().splitlines().count(name)


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return Suite(tmp_path)


def test_what_passes_is_run_once(suite: Suite) -> None:
    suite.add("well", "def test_well(): pass\n")
    assert suite.tried() == 0
    assert suite.runs("well") == 1


def test_what_was_late_passes_at_the_second_try_and_that_is_said(
    suite: Suite, capsys: pytest.CaptureFixture[str]
) -> None:
    suite.add("well", "def test_well(): pass\n")
    suite.add("late", LATE)
    assert suite.tried() == 0
    assert (suite.runs("well"), suite.runs("late")) == (1, 2)
    assert "PASSED AT THE SECOND TRY ONLY: test_late.py::test_late" in capsys.readouterr().err


def test_what_is_broken_fails_at_the_second_try_too(suite: Suite) -> None:
    suite.add("broken", "def test_broken(): assert False\n")
    assert suite.tried() == testing.FAILED
    assert suite.runs("broken") == 2


def test_where_many_fail_nothing_is_tried_again(suite: Suite) -> None:
    for number in range(testing.FEW + 1):
        suite.add(f"broken{number}", f"def test_broken{number}(): assert False\n")
    assert suite.tried() == testing.FAILED
    assert suite.runs("broken0") == 1


def test_a_suite_without_tests_is_not_a_failure_of_theirs(suite: Suite) -> None:
    assert suite.tried() == testing.NO_TESTS
