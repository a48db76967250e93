"""Stack traces of four languages: the exception is told from its frames."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.evidence import logs, traces

JAVA = """\
2026-11-21 02:58:00 ERROR c.a.Main - boom
java.lang.IllegalStateException: cannot start
\tat com.acme.ErrorHandler.failed(ErrorHandler.java:12)
\tat com.acme.Main.main(Main.java:3)
Caused by: java.sql.SQLException: Connection to db:5432 refused
\tat org.postgresql.Driver.connect(Driver.java:1)
\t... 12 more
closing failed hooks"""
GO = """\
listening on :8080
panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x1]

goroutine 1 [running]:
main.failed(0x0)
\t/app/main.go:12 +0x1d
main.main()
\t/app/main.go:30 +0x20
exit status 2"""
PYTHON = """\
INFO starting
Traceback (most recent call last):
  File "/app/main.py", line 1, in connect
    raise KeyError("failed")
KeyError: 'failed'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/main.py", line 9, in main
    raise ConnectionError("refused")
app.errors.StartupFailed: cannot start without a broker
INFO error handlers closed"""
NODE = """\
/app/index.js:10
    throw new TypeError("x")
    ^

TypeError: Cannot read properties of undefined (reading 'host')
    at connect (/app/db.js:4:11)
    at Object.<anonymous> (/app/index.js:10:3)

Node.js v20.1.0"""
FILLER = [f"INFO request {chr(97 + number % 26)}{chr(97 + number // 26)} took a while" for number in range(300)]

EXAMPLES = [
    (JAVA, "Caused by: java.sql.SQLException: Connection to db:5432 refused"),
    (GO, "panic: runtime error: invalid memory address or nil pointer dereference"),
    (PYTHON, "app.errors.StartupFailed: cannot start without a broker"),
    (NODE, "TypeError: Cannot read properties of undefined (reading 'host')"),
]


@pytest.mark.parametrize(("log", "line"), EXAMPLES, ids=["java", "go", "python", "node"])
def test_the_telling_line_is_the_exception_and_never_a_frame(log: str, line: str) -> None:
    assert logs.telling_line(log) == line


@pytest.mark.parametrize(("log", "line"), EXAMPLES, ids=["java", "go", "python", "node"])
def test_a_trace_in_the_middle_of_a_long_log_is_kept_whole(log: str, line: str) -> None:
    shown, cut = logs.excerpt("\n".join([*FILLER[:150], log, *FILLER[150:]]))
    assert cut
    assert line in shown
    lines = log.splitlines()
    found = traces.marks(lines)
    assert [one for one, mark in zip(lines, found, strict=True) if mark and one.strip() and one not in shown] == []
    assert FILLER[-1] in shown
    assert "lines left out" in shown


def test_an_assertion_without_words_is_an_exception_as_well() -> None:
    log = 'Traceback (most recent call last):\n  File "/a.py", line 1, in f\n    assert x\nAssertionError\nclosing\n'
    assert logs.telling_line(log) == "AssertionError"


def test_frames_that_speak_of_errors_do_not_make_a_telling_line() -> None:
    log = "started\n    at com.acme.FailedException.raise(X.java:1)\n    at com.acme.Y.error(Y.java:1)\n"
    assert logs.telling_line(log) == "started", "the line before frames is what they belong to"


def test_a_traceback_that_stops_in_its_middle_is_no_trouble() -> None:
    lines = ["Traceback (most recent call last):", '  File "/a.py", line 1, in f']
    assert traces.marks(lines) == ["head", "frame"]


_PARTS = st.sampled_from(
    [*JAVA.splitlines(), *GO.splitlines(), *PYTHON.splitlines(), *NODE.splitlines(), "", "goroutine 7 [select]:"]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_PARTS | st.text(max_size=40), max_size=40))
def test_every_line_gets_one_mark_whatever_the_order(lines: list[str]) -> None:
    found = traces.marks(lines)
    assert len(found) == len(lines)
    for number, mark in enumerate(found):
        if mark:
            assert number in set(traces.around(found, number))
