"""What holds of failure kinds for one watch alone: over the settings, and over what it said before."""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain import rules, watches
from bot.store import columns
from k8s import detection, model
from tests.bot.store import examples

NAMES = sorted(detection.KINDS)
MINUTE = timedelta(minutes=1)
SEVERITY: st.SearchStrategy[model.Severity] = st.sampled_from(("P1", "P2", "P3"))
SETTINGS = detection.Options(
    disabled=frozenset({"JobFailed"}),
    graces={"NotReady": MINUTE, "OOMKilled": MINUTE},
    severities={"NotReady": "P3", "OOMKilled": "P3"},
    enabled=frozenset({"Risk"}),
)


@st.composite
def kinds(draw: st.DrawFn) -> watches.Kinds:
    on = draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True))
    off = [kind for kind in draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True)) if kind not in on]
    graces = st.dictionaries(st.sampled_from(NAMES), st.timedeltas(timedelta(), timedelta(days=1)), max_size=3)
    severities = st.dictionaries(st.sampled_from(NAMES), SEVERITY, max_size=3)
    return watches.Kinds(tuple(on), tuple(off), draw(graces), draw(severities))


def test_the_word_of_a_watch_wins_for_the_kinds_that_it_names() -> None:
    said = watches.Kinds(("JobFailed", "LogErrors"), ("Risk", "Evicted"), {"NotReady": 2 * MINUTE}, {"NotReady": "P1"})
    holds = said.over(SETTINGS)
    looked = {kind: holds.looks_for(kind) for kind in ("JobFailed", "LogErrors", "Risk", "Evicted", "NotReady")}
    assert looked == {"JobFailed": True, "LogErrors": True, "Risk": False, "Evicted": False, "NotReady": True}
    assert holds.graces == {"NotReady": 2 * MINUTE, "OOMKilled": MINUTE}
    assert holds.severities == {"NotReady": "P1", "OOMKilled": "P3"}


def test_a_watch_that_says_nothing_and_no_watch_at_all_go_by_the_settings() -> None:
    assert watches.Kinds().over(SETTINGS) == SETTINGS
    assert rules.Rules(kinds=SETTINGS).kinds_of(None) == SETTINGS


@given(kinds(), kinds())
@settings(max_examples=100, deadline=None)
def test_what_is_said_later_holds_and_nothing_is_on_and_off(before: watches.Kinds, said: watches.Kinds) -> None:
    after = before.changed(said)
    holds = after.over(SETTINGS)
    assert not set(after.on) & set(after.off)
    assert all(holds.looks_for(kind) for kind in said.on)
    assert not any(holds.looks_for(kind) for kind in said.off)
    assert set(after.named) == {*before.named, *said.named}
    assert after.changed(watches.Kinds(), after.named) == watches.Kinds()


@given(kinds())
@settings(max_examples=100, deadline=None)
def test_it_comes_back_from_the_record_as_it_was(said: watches.Kinds) -> None:
    kept = msgspec.json.decode(columns.dumps(columns.plain(said)))
    assert msgspec.convert(kept, watches.Kinds) == said
    assert msgspec.convert({}, watches.Kinds) == watches.Kinds()


@pytest.mark.parametrize(
    ("grace", "told"),
    [(timedelta(), "0s"), (timedelta(seconds=90), "90s"), (timedelta(minutes=10), "10m"), (timedelta(days=1), "1d")],
)
def test_it_is_told_as_it_is_typed(grace: timedelta, told: str) -> None:
    said = watches.Kinds(("LogErrors",), ("JobFailed", "Risk"), {"NotReady": grace}, {"OOMKilled": "P1"})
    assert str(said) == f"on LogErrors off JobFailed,Risk grace NotReady={told} severity OOMKilled=P1"
    assert str(watches.Kinds()) == ""
    assert examples.new_watch().kinds == watches.Kinds()
