"""Which lines are errors, and which of them are alike."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from k8s import log_templates


@pytest.mark.parametrize(
    ("lines", "alike"),
    [
        (
            [
                "2026-03-14T03:00:01.123Z ERROR order 4711 failed after 31ms",
                "2026-11-21 11:00:59,001 ERROR order 9 failed after 1204ms",
            ],
            "# ERROR order # failed after #",
        ),
        (["ERROR dial tcp 10.2.3.4:5432", "ERROR dial tcp 192.168.0.1:6379"], "ERROR dial tcp #"),
        (
            ["FATAL id=6fa459ea-ee8a-3ca4-894e-db77e160355e", "FATAL id=16fd2706-8baf-433b-82eb-8c7fada847da"],
            "FATAL id=#",
        ),
        (["panic: deadbeef at 0xc000123", "panic: cafebabe at 0x1"], "panic: # at #"),
        (['ERROR no user "u-81-xy"', 'ERROR no user "u 9 z"'], 'ERROR no user "#"'),
        (["KeyError: 'DATABASE_URL'", "KeyError:   'DATABASE_URL'"], "KeyError: 'DATABASE_URL'"),
    ],
)
def test_lines_that_differ_in_numbers_ids_times_and_addresses_are_alike(lines: list[str], alike: str) -> None:
    assert {log_templates.template(line) for line in lines} == {alike}


@pytest.mark.parametrize(
    "line",
    [
        "2026-03-14 03:00:01 ERROR no stock",
        "E0314 03:00:00.123456       1 reflector.go:138] Failed to watch",
        '{"level":"error","msg":"no stock"}',
        "time=2026 level=fatal msg=gone",
        "panic: runtime error: index out of range",
        "Traceback (most recent call last):",
        "KeyError: 'DATABASE_URL'",
        "java.lang.IllegalStateException: closed",
        "CRITICAL:root:no disk",
        '{"level":"error","msg":"back to INFO"}',
    ],
)
def test_errors_are_known_by_their_level_or_by_what_they_are(line: str) -> None:
    assert list(log_templates.error_lines(f"INFO fine\n{line}\n")) == [line]


@pytest.mark.parametrize(
    "line",
    [
        "INFO 0 errors found",
        "GET /errors 200",
        "WARN retrying after ConnectionError: refused",
        '{"level":"info","msg":"handler for KeyError registered"}',
        "DEBUG caught ValueError",
        "I0314 03:00:00.1 1 a.go:1] ok",
        "no error",
        "",
    ],
)
def test_what_only_speaks_of_errors_is_none(line: str) -> None:
    assert list(log_templates.error_lines(line)) == []


@given(st.text(max_size=600) | st.text(alphabet="a1#'\"` -.:,/+deafbcT", max_size=600))
@example("'deadbeef' '" + "1" * 500)
@example("x" * 398 + " 1")
@settings(deadline=None, max_examples=400)
def test_a_template_is_its_own_template(line: str) -> None:
    once = log_templates.template(line)
    assert log_templates.template(once) == once
    assert len(once) <= log_templates.LONGEST
    assert not any(character in "0123456789" for character in once)


@pytest.mark.parametrize(
    "piece", ["a", "1", "#-", "'", "'\"", "level", "level =", "aError ", "A", "E0000", "f" * 7 + " "]
)
def test_no_line_takes_long(piece: str) -> None:
    line = piece * (1_000_000 // len(piece))
    started = time.perf_counter()
    assert len(list(log_templates.error_lines("\n".join([line, line])))) <= 2
    log_templates.template(line)
    assert time.perf_counter() - started < 1.0
