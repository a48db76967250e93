"""The audit chain: whatever is changed, removed, inserted or put in another order is found."""

import hashlib
import json
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


# --- as it is exported ----------------------------------------------------------------------------------------------


def _faults(lines: list[bytes], *, excerpt: bool = False) -> list[str]:
    reading = audit.Reading(excerpt=excerpt)
    return [fault for line in lines if (fault := reading.take(line))]


@FEW
@given(CHAINS)
def test_an_export_is_whole_line_by_line_whatever_its_entries_hold(entries: list[audit.Entry]) -> None:
    lines = [audit.line(entry) for entry in entries]
    assert all(
        line.count(b"\n") == 1 and json.loads(line)["hash"] == entry.hash
        for line, entry in zip(lines, entries, strict=True)
    )
    assert _faults(lines) == []
    assert _faults([line.replace(b"\n", b"\r\n") for line in lines]) == []
    reading = audit.Reading()
    for line in lines[len(lines) // 2 :]:
        assert reading.take(line) == "", "also from the middle on, where the one before it is taken on trust"
    stretch = reading.stretches["prod"]
    assert (stretch.first, stretch.last, stretch.hash) == (len(lines) // 2 + 1, len(lines), entries[-1].hash)


@FEW
@given(CHAINS, st.data())
def test_any_byte_of_an_export_that_was_changed_is_found(entries: list[audit.Entry], data: st.DataObject) -> None:
    lines = [audit.line(entry) for entry in entries]
    place = data.draw(st.integers(0, len(lines) - 1))
    at = data.draw(st.integers(0, len(lines[place]) - 2))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != lines[place][at] and byte not in b"\r\n"))
    lines[place] = lines[place][:at] + bytes([other]) + lines[place][at + 1 :]
    assert _faults(lines) != []


@FEW
@given(CHAINS, st.data())
def test_a_line_that_is_missing_doubled_or_elsewhere_is_found(entries: list[audit.Entry], data: st.DataObject) -> None:
    entries += chained([*(entry.event for entry in entries), entries[0].event, entries[0].event])[len(entries) :]
    lines = [audit.line(entry) for entry in entries]
    place = data.draw(st.integers(1, len(lines) - 2))
    missing = [*lines[:place], *lines[place + 1 :]]
    assert _faults(missing) != []
    assert _faults(missing, excerpt=True) == [], "an excerpt has gaps"
    assert _faults([*lines[: place + 1], lines[place], *lines[place + 1 :]]) != []
    swapped = [*lines[: place - 1], lines[place], lines[place - 1], *lines[place + 1 :]]
    assert _faults(swapped) != []
    assert _faults(swapped, excerpt=True) != [], "but its entries are in their order"


def test_a_forged_entry_with_a_hash_of_its_own_does_not_fit_between_its_neighbours() -> None:
    event = audit.Event("proposal:approved", "prod", "U1", examples.NOW)
    entries = chained([event] * 3)
    forged = replace(event, actor="U9")
    digest = audit.link(entries[1].previous, 2, forged)
    lines = [audit.line(one) for one in (entries[0], replace(entries[1], event=forged, hash=digest), entries[2])]
    assert _faults(lines) == ["entry 3 of prod does not follow from the one before it"]


def test_chains_may_lie_between_each_other_in_an_export() -> None:
    event = audit.Event("a:b", "prod", "U1", examples.NOW)
    one, other = chained([event] * 2), chained([replace(event, chain="test")] * 2)
    lines = [audit.line(entry) for pair in zip(one, other, strict=True) for entry in pair]
    assert _faults(lines) == []


def test_what_is_no_export_is_said_to_be_none() -> None:
    entry = chained([audit.Event("a:b", "prod", "U1", examples.NOW)])[0]
    body = b'{"no":"entry"}'
    fake = b'{"hash":"' + hashlib.sha256(body).hexdigest().encode() + b'","entry":' + body + b"}"
    first = audit.line(replace(entry, previous="1" * 64, hash=audit.link("1" * 64, 1, entry.event)))
    assert _faults([b"", b"{}", b"\xff" * 200, b"x" * 100]) == ["it is no line of an export"] * 4
    assert _faults([fake]) == ["it holds no entry of a trail"]
    assert _faults([first]) == ["entry 1 of prod begins no chain"]
