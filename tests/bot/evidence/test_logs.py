"""Reading logs: the telling line, the missing name, and what may be left out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.evidence import logs

TRACEBACK = """\
INFO starting api v2.3.1
Traceback (most recent call last):
  File "/app/main.py", line 12, in <module>
    url = os.environ["DB_URL"]
KeyError: 'DB_URL'
"""


def test_the_named_error_of_a_traceback_is_the_telling_line() -> None:
    assert logs.telling_line(TRACEBACK) == "KeyError: 'DB_URL'"


def test_the_last_named_error_wins_over_a_later_line_that_only_sounds_bad() -> None:
    assert logs.telling_line("ValueError: bad port\nclosing failed connections\n") == "ValueError: bad port"


def test_a_line_that_sounds_like_an_error_will_do_where_none_is_named() -> None:
    assert logs.telling_line("listening\ndial tcp 10.0.0.1:5432: connection refused\nbye\n").endswith("refused")


def test_a_log_that_says_nothing_has_no_telling_line() -> None:
    assert logs.telling_line("listening on 8080\nready\n") == ""


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("KeyError: 'DB_URL'", "DB_URL"),
        ("environment variable STRIPE_KEY is not set", "STRIPE_KEY"),
        ('Error: env var "API_BASE" must be set', "API_BASE"),
        ("missing required environment variable: REDIS_HOST", "REDIS_HOST"),
        ("/entry.sh: line 3: DB_PASSWORD: unbound variable", "DB_PASSWORD"),
        ("panic: QUEUE_NAME is required", "QUEUE_NAME"),
        ("KeyError: 'order'", ""),
        ("connection refused", ""),
    ],
)
def test_the_missing_name_is_taken_from_what_programs_say(line: str, name: str) -> None:
    assert logs.missing_name(line) == name


def test_the_rest_of_a_key_that_began_before_the_log_does_is_dropped() -> None:
    end = "-----END RSA PRIVATE KEY-----"
    assert logs.without_torn_key(f"c2VjcmV0\n{end}\nready") == "[redacted:private-key]\nready"
    whole = f"a\n-----BEGIN RSA PRIVATE KEY-----\nx\n{end}\nready"
    assert logs.without_torn_key(whole) == whole
    assert logs.without_torn_key("ready") == "ready"


def test_runs_of_alike_lines_are_folded_with_their_count() -> None:
    text, cut = logs.excerpt("\n".join(f"retry {number} in 5 s" for number in range(30)) + "\ngave up")
    assert text == "retry 29 in 5 s (×30)\ngave up"
    assert not cut


def words(number: int) -> list[str]:
    """So many lines no two of which are alike."""
    return [f"step {chr(97 + each % 26)}{chr(97 + each // 26)} is done" for each in range(number)]


def test_a_longer_log_keeps_its_end_and_says_what_is_left_out() -> None:
    text, cut = logs.excerpt("\n".join(words(100)), lines=10)
    assert text.splitlines() == ["… 90 lines left out", *words(100)[-10:]]
    assert cut


def test_where_a_failure_begins_is_kept_with_the_lines_after_it_and_the_end() -> None:
    lines = words(400)
    lines[100] = "WARN upstream db refused the connection"
    text, cut = logs.excerpt("\n".join(lines), lines=12)
    assert cut
    shown = text.splitlines()
    assert {"WARN upstream db refused the connection", lines[99], lines[101], lines[102], lines[-1]} <= set(shown)
    assert shown[0] == "… 97 lines left out"


def test_lines_that_come_back_between_others_are_shown_twice_and_counted() -> None:
    log = "\n".join(line for number in range(1206) for line in (f"retry {number} in 5 s", words(1)[0]))
    text, cut = logs.excerpt(log)
    assert text.splitlines() == [
        "retry 0 in 5 s",
        words(1)[0],
        "retry 1205 in 5 s (… 1,204 more like it)",
        f"{words(1)[0]} (… 1,204 more like it)",
    ]
    assert cut


def test_lines_of_binary_data_are_only_counted() -> None:
    text, _ = logs.excerpt("ready\n" + "\ufffd\ufffd\x01k\ufffd\n" * 7 + "FATAL: bad magic")
    assert text == "ready\n[binary data] (×7)\nFATAL: bad magic"
    assert logs.excerpt("\ufffd\ufffd\ufffdred")[0] == "\ufffd\ufffd\ufffdred", "half of it can be read"


def test_of_an_endless_line_it_is_said_how_much_is_left_out() -> None:
    text, _ = logs.excerpt("x" * 2_000_000)
    assert len(text) <= 400
    assert text.endswith(" … (1,999,600 characters left out)")


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=4000))
def test_no_log_is_too_odd_and_no_excerpt_too_long(text: str) -> None:
    shown, _ = logs.excerpt(text, lines=20, characters=500)
    assert len(shown) <= 500
    assert len(logs.telling_line(text)) <= 300
    logs.missing_name(text)
