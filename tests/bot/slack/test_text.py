"""Text of others is data: it stays readable, and Slack finds no markup, mention or link in it."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.slack.blocks import text
from tests.bot.slack import building


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("exit 1: KeyError 'DB_URL' [E2]; gone", "exit 1: KeyError 'DB_URL' [E2]; gone"),
        ("<!channel> & <@U1>", "&lt;!channel&gt; &amp; `&lt;@U1&gt;`"),
        ("a < b && c > d", "a &lt; b &amp;&amp; c `&gt;` d"),
        ("see http://evil.example now", "see `http://evil.example` now"),
        ("www.evil.example", "`www.evil.example`"),
        ("*loud* _lean_ ~gone~", "`*loud*` `_lean_` `~gone~`"),
        ("my_var and __init__", "my_var and `__init__`"),
        (":fire: at 03:12:44 and :+1:", "`:fire:` at 03:12:44 and `:+1:`"),
        ("ask @ana in #general", "ask `@ana` in `#general`"),
        ("a `b` c", "a `ˋbˋ` c"),
        ("two\nlines\tand\x00 more\u202e", "two lines and more"),
        ("a\ud800b", "a\ufffdb"),
    ],
)
def test_running_text_is_inert_and_readable(raw: str, shown: str) -> None:
    assert text.prose(raw) == shown


def test_a_cut_is_marked_and_falls_between_words() -> None:
    assert text.prose("one two three four", 12) == "one two…"
    assert text.prose("x" * 100, 50) == "x" * 48 + "…"


def test_code_cannot_be_left() -> None:
    assert text.code("a`b``c") == "`aˋbˋˋc`"
    assert text.code("") == "`(empty)`"
    assert text.block(["```", "rm -rf `x`"]) == "```\nˋˋˋ\nrm -rf ˋxˋ\n```"
    assert text.block([]) == "```\n(empty)\n```"


def test_a_block_says_what_it_leaves_out() -> None:
    shown = text.block([f"line {n}" for n in range(20)], most=3, rest=" in the thread")
    assert shown.endswith("line 2\n```\n… cut: 17 more lines in the thread")
    assert text.block(["a", "b"], most=1).endswith("… cut: 1 more line")
    assert text.block(["x" * 300], width=10) == "```\n" + "x" * 9 + "…\n```"
    assert text.block(["x" * 90] * 9, limit=200).endswith("… cut: 7 more lines")


def test_bold_of_what_holds_markup_is_code() -> None:
    assert text.bold("payments/api") == "*payments/api*"
    assert text.bold("a*b") == "`a*b`"


@given(st.text(alphabet="ab `<&;>\n🔥", max_size=300), st.integers(20, 120))
@settings(deadline=None, max_examples=100)
def test_a_cut_of_rendered_text_is_short_enough_and_whole(raw: str, limit: int) -> None:
    rendered = "\n".join((text.prose(raw, 5000), text.code(raw, 5000), text.block(raw.split("\n"))))
    cut = text.cut(rendered, limit)
    assert text.length(cut) <= limit
    assert cut == rendered or cut.endswith(text.CUT)
    assert cut.count("```") % 2 == 0


def test_a_cut_inside_a_mention_or_an_escape_takes_all_of_it_away() -> None:
    assert text.cut("aaaaaaaaaaaaaaaaaaaaaaaaaa<@U0ANA000000000>", 40) == "aaaaaaaaaaaaaaaaaaaaaaaaaa\n… cut"
    assert text.cut("aaaaaaaaaaaaaaaaaaaaaaaaaa&lt;bbbbbbbbbbbb", 40) == "aaaaaaaaaaaaaaaaaaaaaaaaaa\n… cut"
    assert text.cut("see `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa`", 40).count("`") == 2


def test_our_own_sentences_keep_what_is_ours_and_nothing_else() -> None:
    own = "Rejected by <@U0ANA> at <!date^1^{time_secs}|03:12:00 UTC>: <!channel> *now* `x` <http://x|y>"
    shown = text.sentence(own)
    assert "<@U0ANA>" in shown
    assert "<!date^1^{time_secs}|03:12:00 UTC>" in shown
    assert "*now*" in shown
    assert ": &lt;!channel&gt; " in shown
    assert "`&lt;http://x|y&gt;`" in shown
    assert text.spoken(own) == "Rejected by <@U0ANA> at 03:12:00 UTC: &lt;!channel&gt; now x &lt;http://x|y&gt;"


def test_a_notification_has_no_markup() -> None:
    assert text.notification("*a* `b`\n<@U1> & c") == "a b &lt;@U1&gt; &amp; c"
    assert text.notification("") == "-"
    assert text.notification("x" * 400, 10) == "x" * 9 + "…"


def test_plain_text_has_no_angle_brackets_and_is_never_empty() -> None:
    assert text.plain("<!here>", 75) == "‹!here›"
    assert text.plain("\x00", 75) == "-"
    assert text.plain("x" * 80, 75) == "x" * 74 + "…"


@pytest.mark.parametrize(
    ("user", "shown"),
    [("U0ANA", "<@U0ANA>"), ("W12", "<@W12>"), ("schedule", "schedule"), ("U0ana", "U0ana"), ("", "somebody")],
)
def test_only_a_user_id_becomes_a_mention(user: str, shown: str) -> None:
    assert text.person(user) == shown


def test_many_people_are_counted() -> None:
    assert text.people(["U1", "U2", "U3"], most=2) == "<@U1>, <@U2> and 1 more"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        *((0, "0 s"), (-5, "0 s"), (89, "89 s"), (90, "1 min"), (3600, "1 h"), (4800, "1 h 20 min")),
        *((86400, "1 d"), (97200, "1 d 3 h")),
    ],
)
def test_durations_are_short_words(seconds: float, shown: str) -> None:
    assert text.duration(seconds) == shown
    assert text.duration(timedelta(seconds=seconds)) == shown


@pytest.mark.parametrize(
    ("number", "shown"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (22, "22nd")]
)
def test_ordinals(number: int, shown: str) -> None:
    assert text.ordinal(number) == shown


def test_times_are_in_the_readers_zone_with_utc_to_fall_back_on() -> None:
    unix = int(building.AT.timestamp())
    assert text.day_and_time(building.AT) == f"<!date^{unix}^{{date_short_pretty}} {{time}}|2026-11-21 03:12 UTC>"
    assert text.time_of_day(building.AT) == f"<!date^{unix}^{{time}}|03:12 UTC>"
    assert text.seconds_of_day(building.AT) == f"<!date^{unix}^{{time_secs}}|03:12:00 UTC>"


def test_only_a_plain_address_becomes_a_link() -> None:
    assert text.link("https://x.slack.com/archives/C1/p1?a=1&b=2", "WK-9") == (
        "<https://x.slack.com/archives/C1/p1?a=1&amp;b=2|WK-9>"
    )
    for address in ("javascript:alert(1)", "https://x|y", "https://x/ y", "https://x/>", ""):
        assert text.link(address, "WK-9") == "WK-9"


def test_a_long_log_is_told_by_its_faults_and_its_last_lines() -> None:
    log = (
        [f"INFO {n}" for n in range(50)]
        + ["Traceback", " line 1", " line 2", "KeyError: x"]
        + [f"bye {n}" for n in range(20)]
    )
    shown, left = text.telling("\n".join(log))
    assert shown == [
        *(text.GAP, "Traceback", " line 1", " line 2", "KeyError: x"),
        *(text.GAP, "bye 16", "bye 17", "bye 18", "bye 19"),
    ]
    assert left == 74 - 8


def test_a_log_without_faults_is_told_by_its_end_and_a_short_one_whole() -> None:
    assert text.telling("a\nb") == (["a", "b"], 0)
    shown, left = text.telling("\n".join(str(n) for n in range(20)), most=3)
    assert (shown, left) == ([text.GAP, "17", "18", "19"], 17)
