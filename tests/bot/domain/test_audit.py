"""The audit chain: whatever is changed, removed, inserted or put in another order is found."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain import audit
from tests.bot.domain import examples

FEW = settings(max_examples=40)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
EVENTS = st.builds(
    audit.Event,
    tag=st.sampled_from(["incident:opened", "proposal:made", "proposal:approved"]),
    chain=st.just("prod"),
    actor=st.text(max_size=8),
    at=st.integers(0, 10**9).map(lambda micro: examples.NOW + timedelta(microseconds=micro)),
    incident_id=st.none() | st.integers(1, 99),
    proposal_id=st.none() | st.integers(1, 99),
    data=st.dictionaries(st.text(max_size=6), VALUES, max_size=3),
)


def chained(events: list[audit.Event]) -> list[audit.Entry]:
    previous, entries = audit.GENESIS, []
    for seq, event in enumerate(events, 1):
        digest = audit.link(previous, seq, event)
        entries.append(audit.Entry(seq, event, previous, digest))
        previous = digest
    return entries


CHAINS = st.lists(EVENTS, min_size=1, max_size=6).map(chained)


@FEW
@given(CHAINS)
def test_an_untouched_chain_is_whole_and_so_is_every_later_part_of_it(entries: list[audit.Entry]) -> None:
    assert audit.broken_at(entries) is None
    for cut in range(1, len(entries)):
        assert audit.broken_at(entries[cut:], entries[cut - 1].hash, cut) is None


CHANGES: dict[str, Any] = {
    "tag": "proposal:rejected",
    "chain": "staging",
    "actor": "somebody else entirely",
    "at": examples.NOW - timedelta(microseconds=1),
    "incident_id": 1000,
    "proposal_id": 1000,
    "data": {"a made-up": "detail"},
}


@FEW
@given(CHAINS, st.data(), st.sampled_from(sorted(CHANGES)))
def test_a_changed_event_is_found_where_it_stands(entries: list[audit.Entry], data: st.DataObject, name: str) -> None:
    place = data.draw(st.integers(0, len(entries) - 1))
    tampered = replace(entries[place].event, **{name: CHANGES[name]})
    entries[place] = replace(entries[place], event=tampered)
    assert audit.broken_at(entries) == entries[place]


@FEW
@given(CHAINS, st.data())
def test_an_event_changed_together_with_its_own_hash_is_found_at_the_next_one(
    entries: list[audit.Entry], data: st.DataObject
) -> None:
    entries += chained([*(entry.event for entry in entries), entries[0].event])[len(entries) :]
    place = data.draw(st.integers(0, len(entries) - 2))
    old = entries[place]
    forged = replace(old.event, actor="somebody else entirely")
    entries[place] = replace(old, event=forged, hash=audit.link(old.previous, old.seq, forged))
    assert audit.broken_at(entries) == entries[place + 1]


@FEW
@given(st.lists(EVENTS, min_size=3, max_size=6).map(chained), st.data())
def test_a_removed_entry_is_found_at_the_one_after_it(entries: list[audit.Entry], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(entries) - 2))
    after = entries[place + 1]
    del entries[place]
    assert audit.broken_at(entries) == after


@FEW
@given(CHAINS, EVENTS, st.data())
def test_an_inserted_entry_is_found(entries: list[audit.Entry], extra: audit.Event, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(entries) - 1))
    previous = entries[place].previous
    forged = audit.Entry(place + 1, extra, previous, audit.link(previous, place + 1, extra))
    entries.insert(place, forged)
    assert audit.broken_at(entries) == entries[place + 1]


@FEW
@given(st.lists(EVENTS, min_size=2, max_size=6).map(chained), st.data())
def test_another_order_is_found(entries: list[audit.Entry], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(entries))
    moved = [entry.seq for entry in shuffled] != [entry.seq for entry in entries]
    assert (audit.broken_at(shuffled) is not None) == moved


@FEW
@given(EVENTS)
def test_the_order_of_keys_plays_no_part(event: audit.Event) -> None:
    backwards = replace(event, data=dict(reversed(list(event.data.items()))))
    assert audit.link(audit.GENESIS, 1, event) == audit.link(audit.GENESIS, 1, backwards)


@FEW
@given(EVENTS)
def test_the_place_in_the_chain_is_part_of_the_hash(event: audit.Event) -> None:
    first = audit.link(audit.GENESIS, 1, event)
    assert first != audit.link(audit.GENESIS, 2, event)
    assert first != audit.link(first, 1, event)
