"""The grammar of `/watch`: what is understood, and what is told to whoever mistyped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import commands, errors


def test_nothing_typed_is_help() -> None:
    assert commands.parse("   ") == commands.Command("help")


def test_the_subcommand_is_taken_in_any_case_and_the_rest_as_it_is() -> None:
    assert commands.parse(" Show  WK-12 ") == commands.Command("show", "WK-12")


@pytest.mark.parametrize(("typed", "meant"), [("staus", "status"), ("incident", "incidents"), ("reprt", "report")])
def test_a_near_miss_names_the_nearest_command_and_its_form(typed: str, meant: str) -> None:
    with pytest.raises(commands.NotUnderstood) as caught:
        commands.parse(typed)
    assert caught.value.nearest == f"/watch {meant}"
    assert caught.value.usage == commands.FORMS[meant][0]


def test_something_far_from_every_command_is_sent_to_the_help() -> None:
    with pytest.raises(commands.NotUnderstood) as caught:
        commands.parse("xyzzy")
    assert (caught.value.nearest, caught.value.usage) == ("", "/watch help")


def test_a_command_that_needs_a_word_says_so() -> None:
    with pytest.raises(commands.NotUnderstood, match="needs one more word"):
        commands.needed(commands.Command("show"))


def test_a_watch_with_everything_said() -> None:
    new = commands.new_watch(
        'prod payments,web-*,!web-test cron "*/5 * * * *" zone Europe/Berlin channel <#C0123ABCD|oncall> '
        "mode observe name pay",
        "U1",
        "C0HERE0000",
        "UTC",
    )
    assert new.cluster == "prod"
    assert new.scope.include == ("payments", "web-*")
    assert new.scope.exclude == ("web-test",)
    assert (new.cron, new.timezone, new.channel) == ("*/5 * * * *", "Europe/Berlin", "C0123ABCD")
    assert (new.mode, new.name, new.created_by) == ("observe", "pay", "U1")


def test_a_watch_of_a_cluster_alone_takes_what_is_usual() -> None:
    new = commands.new_watch("prod", "U1", "C0HERE0000", "Asia/Seoul")
    assert (new.scope.include, new.cron, new.timezone) == ((), commands.DEFAULT_CRON, "Asia/Seoul")
    assert (new.channel, new.mode, new.name) == ("C0HERE0000", "approve", "prod")


def test_curly_quotes_of_a_phone_are_quotes() -> None:
    assert commands.new_watch("prod cron “*/5 * * * *”", "U1", "C1", "UTC").cron == "*/5 * * * *"


@pytest.mark.parametrize(
    ("rest", "part"),
    [
        ("", "the cluster is missing"),
        ('prod cron "61 * * * *"', "the cron"),
        ("prod zone Mars/Olympus", "the zone"),
        ("prod channel ###", "the channel"),
        ("prod mode wild", "the mode"),
        ("prod name Über", "the name"),
        ("prod cron", "needs a value"),
        ("prod payments crn x", "is no option"),
        ('prod cron "*/5', "a quote is not closed"),
    ],
)
def test_what_is_wrong_with_a_watch_is_named_by_its_part(rest: str, part: str) -> None:
    with pytest.raises(commands.NotUnderstood) as caught:
        commands.new_watch(rest, "U1", "C1", "UTC")
    assert part in caught.value.why
    assert caught.value.usage == commands.FORMS["add"][0]


@given(st.text(max_size=200))
def test_no_text_whatever_ends_in_anything_but_a_watch_or_a_sentence(text: str) -> None:
    try:
        new = commands.new_watch(text, "U1", "C1", "UTC")
    except errors.WatchkeeperError:
        return
    assert new.cluster
    assert new.name


@given(st.text(max_size=100))
def test_every_line_is_a_known_command_or_not_understood(text: str) -> None:
    try:
        name = commands.parse(text).name
    except commands.NotUnderstood as error:
        name = error.usage.removeprefix("/watch ").split(" ")[0]
    assert name in commands.FORMS
