"""The grammar of `/watch`: what is understood, and what is told to whoever mistyped."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import commands, errors
from bot.domain import watches
from k8s import policy_words


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


@pytest.mark.parametrize(
    ("rest", "asked"),
    [("WK-12", ("WK-12", None)), ("WK-12 sent", ("WK-12", 1)), ("12  SENT 3", ("12", 3)), ("#12 sent 0", ("#12", 0))],
)
def test_an_incident_is_shown_or_what_was_sent_about_it(rest: str, asked: tuple[str, int | None]) -> None:
    assert commands.shown(commands.Command("show", rest)) == asked


@pytest.mark.parametrize(
    "rest", ["WK-12 snet", "WK-12 sent two", "WK-12 sent 1 2", "WK-12 sent 123456", "WK-12 sent -1"]
)
def test_what_is_no_page_of_an_incident_names_the_form(rest: str) -> None:
    with pytest.raises(commands.NotUnderstood, match="no page") as caught:
        commands.shown(commands.Command("show", rest))
    assert caught.value.usage == commands.FORMS["show"][0]


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


def test_a_watch_of_namespaces_with_labels() -> None:
    new = commands.new_watch("prod pay-* labels team=payments,env!=dev,!legacy", "U1", "C1", "UTC")
    assert (new.scope.include, new.scope.labels) == (("pay-*",), "team=payments,env!=dev,!legacy")
    assert commands.new_watch("prod labels team", "U1", "C1", "UTC").scope.include == ()


@pytest.mark.parametrize("labels", ["'team in (a,b)'", "team=a=b", "=x", "-team", "team=a;b"])
def test_labels_that_are_none_are_named(labels: str) -> None:
    with pytest.raises(commands.NotUnderstood) as caught:
        commands.new_watch(f"prod labels {labels}", "U1", "C1", "UTC")
    assert "is no requirement such as team=payments" in caught.value.why


def test_a_watch_with_kinds_of_its_own() -> None:
    new = commands.new_watch(
        "prod payments on logerrors off JobFailed, nodepressure grace notready=10m,OOMKilled=30s "
        "severity JobFailed=p3 mode observe",
        "U1",
        "C1",
        "UTC",
    )
    assert new.kinds == watches.Kinds(
        ("LogErrors",),
        ("JobFailed", "NodePressure"),
        {"NotReady": timedelta(minutes=10), "OOMKilled": timedelta(seconds=30)},
        {"JobFailed": "P3"},
    )
    assert (new.scope.include, new.mode) == (("payments",), "observe")
    assert commands.new_watch("prod", "U1", "C1", "UTC").kinds == watches.Kinds()


def test_kinds_of_a_watch_are_changed_by_its_name() -> None:
    assert commands.kinds_of_watch("pay OFF JobFailed default Risk , notready") == (
        "pay",
        watches.Kinds(off=("JobFailed",)),
        ("Risk", "NotReady"),
    )
    assert commands.kinds_of_watch("pay") == ("pay", watches.Kinds(), ())


def test_kinds_of_somebodys_own_are_known_where_they_are_told_of() -> None:
    assert commands.kinds_of_watch("pay on certificatenotready", ["CertificateNotReady"])[1].on == (
        "CertificateNotReady",
    )
    new = commands.new_watch("prod grace CertificateNotReady=1h", "U1", "C1", "UTC", ["CertificateNotReady"])
    assert new.kinds.graces == {"CertificateNotReady": timedelta(hours=1)}
    with pytest.raises(commands.NotUnderstood, match="names no failure kind"):
        commands.kinds_of_watch("pay on CertificateNotReady")


KIND_FAULTS = [
    ("off JobFaild", "`off JobFaild` is not valid: entry 1 names no failure kind (did you mean JobFailed?)"),
    ("on Risk,Risk", "entry 2 names Risk a second time: write it once"),
    ("grace NotReady", "entry 1 has no = in it: write NotReady=90s"),
    ("grace NotReady=soon", "entry 1 gives no duration such as 90s, 15m or 12h"),
    ("grace NotReady=3d", "entry 1 gives more than 1d: write less, or turn the kind off"),
    ("severity NotReady=P4", "entry 1 gives no severity: write P1, P2 or P3"),
    ("off", "`off` needs a value"),
    ("off ,", "`off` names no failure kind"),
    ("off Risk off JobFailed", "`off` is there twice: write it once, with commas between its kinds"),
    ("on Risk off risk", "`on` and `off` both name Risk: leave it out of one of them"),
]


@pytest.mark.parametrize(("rest", "why"), KIND_FAULTS)
def test_what_is_wrong_with_kinds_is_named_with_what_to_write(rest: str, why: str) -> None:
    with pytest.raises(commands.NotUnderstood) as caught:
        commands.new_watch(f"prod {rest}", "U1", "C1", "UTC")
    assert caught.value.why.startswith("The watch was not added: `")
    assert caught.value.why.endswith(f"{why}.")
    assert caught.value.usage == commands.FORMS["add"][0]
    with pytest.raises(commands.NotUnderstood) as caught:
        commands.kinds_of_watch(f"pay {rest}")
    assert caught.value.why.startswith("The watch was not changed: `")
    assert caught.value.why.endswith(f"{why}.")
    assert caught.value.usage == commands.FORMS["kinds"][0]


@pytest.mark.parametrize(
    ("rest", "why", "nearest"),
    [
        ("", "its name is missing", ""),
        ("pay sevrity Risk=P1", "`sevrity` is no option", "severity"),
        ("pay mode observe", "`mode` is no option", ""),
        ("pay on Risk default risk", "Risk can be `default` or something else, not both: leave one of them out", ""),
    ],
)
def test_what_is_wrong_with_a_change_of_kinds_is_named(rest: str, why: str, nearest: str) -> None:
    with pytest.raises(commands.NotUnderstood) as caught:
        commands.kinds_of_watch(rest)
    assert (caught.value.why, caught.value.nearest) == (f"The watch was not changed: {why}.", nearest)


@given(st.text(max_size=200))
def test_no_text_whatever_changes_kinds_into_anything_but_kinds_or_a_sentence(text: str) -> None:
    try:
        name, said, _ = commands.kinds_of_watch(text)
    except errors.WatchkeeperError:
        return
    assert name or text.strip()
    assert not set(said.on) & set(said.off)


def test_what_a_watch_tells_of_its_kinds_is_read_as_the_same_kinds() -> None:
    said = watches.Kinds(("LogErrors",), ("JobFailed",), {"NotReady": timedelta(seconds=90)}, {"OOMKilled": "P1"})
    assert commands.kinds_of_watch(f"pay {said}") == ("pay", said, ())


@pytest.mark.parametrize("mode", ["observe", "approve", "autonomous"])
def test_a_watch_is_put_into_a_mode_by_its_name(mode: str) -> None:
    assert commands.mode_of_watch(f"pay {mode.upper()}") == ("pay", mode)
    assert commands.new_watch(f"prod mode {mode}", "U1", "C0HERE0000", "UTC").mode == mode


@pytest.mark.parametrize("rest", ["pay", "pay wild", "pay observe now", '"pay'])
def test_what_names_no_mode_is_told_the_form(rest: str) -> None:
    with pytest.raises(commands.NotUnderstood, match="The watch was not changed") as caught:
        commands.mode_of_watch(rest)
    assert caught.value.usage == commands.FORMS["mode"][0]


def test_a_breaker_is_closed_by_the_name_of_its_watch_and_that_word() -> None:
    assert commands.breaker_of_watch("pay close") == "pay"
    for rest in ("pay", "pay open", "pay close now"):
        with pytest.raises(commands.NotUnderstood, match="the watch's name and `close`"):
            commands.breaker_of_watch(rest)


@pytest.mark.parametrize(
    ("typed", "place"),
    [
        ("", policy_words.Place()),
        ("prod-eu", policy_words.Place("prod-eu")),
        ("prod-eu/payments scale", policy_words.Place("prod-eu", "payments", "scale")),
        ("scale  prod-us", policy_words.Place("prod-us", "", "scale")),
    ],
)
def test_what_of_the_policy_is_asked_about_is_a_place_and_an_action(typed: str, place: policy_words.Place) -> None:
    assert commands.policy_place(typed, ("prod-eu", "prod-us")) == place


@pytest.mark.parametrize(
    ("typed", "nearest"), [("prdo-eu/web", "prod-eu"), ("scael", "scale"), ("xyzzy", ""), ("prod-eu dev2", "")]
)
def test_what_is_neither_a_cluster_nor_an_action_gets_the_nearest_match(typed: str, nearest: str) -> None:
    with pytest.raises(commands.NotUnderstood, match="is neither a cluster nor an action") as caught:
        commands.policy_place(typed, ("prod-eu", "prod-us"))
    assert caught.value.nearest == nearest
    assert caught.value.usage == commands.FORMS["policy"][0]
