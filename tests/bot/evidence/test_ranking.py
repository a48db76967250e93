"""What a prompt may hold: the best pieces first, none renumbered, and never more than the budget."""

from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain import diagnoses
from bot.evidence import ranking
from k8s import detection


def piece(number: int, source: diagnoses.Source, body: str = "body") -> diagnoses.Evidence:
    return diagnoses.Evidence(number, source, f"title {number}", body)


def test_all_of_it_is_kept_where_it_fits() -> None:
    pieces = (piece(1, "status"), piece(2, "log"), piece(3, "past"))
    assert ranking.fit(pieces, 1000, "CrashLoopBackOff") == (pieces, ())


def test_what_proves_least_is_left_out_first_and_named() -> None:
    body = "\n".join(f"line {number} of what was seen" for number in range(30))
    pieces = (piece(1, "status", body), piece(2, "past", body), piece(3, "previous-log", body))
    kept, left = ranking.fit(pieces, ranking.estimate(body) * 2 + 60, "CrashLoopBackOff")
    assert [one.number for one in kept] == [1, 3]
    assert left == (2,)


def test_the_kind_of_failure_decides_what_comes_early() -> None:
    pieces = (piece(1, "status"), piece(2, "log"), piece(3, "usage"), piece(4, "network"))
    assert [one.number for one in ranking.ranked(pieces, "OOMKilled")] == [1, 3, 2, 4]
    assert [one.number for one in ranking.ranked(pieces, "ServiceNoEndpoints")] == [1, 4, 2, 3]


def test_a_long_log_is_cut_in_its_middle_and_says_so() -> None:
    body = "the begin\n" + "x" * 5000 + "\nthe end"
    kept, left = ranking.fit((piece(1, "log", body),), 400, "CrashLoopBackOff")
    assert left == ()
    assert kept[0].cut
    assert kept[0].body.startswith("the begin")
    assert kept[0].body.endswith("the end")
    assert "characters left out here" in kept[0].body


def test_one_long_piece_does_not_take_the_place_of_the_others() -> None:
    long = "y" * 6000
    kept, left = ranking.fit(
        (piece(1, "previous-log", long), piece(2, "events"), piece(3, "rollout")), 800, "CrashLoopBackOff"
    )
    assert [one.number for one in kept] == [1, 2, 3]
    assert left == ()
    assert len(kept[0].body) > 800 * 3.5 * 0.8, "what the others leave over is its own"


def test_every_kind_that_is_named_is_one_that_is_detected() -> None:
    assert set(ranking._FIRST) <= set(detection.KINDS)


SOURCES = st.sampled_from(get_args(diagnoses.Source))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(SOURCES, st.text(max_size=3000)), max_size=12), st.integers(0, 4000), st.text(max_size=12))
def test_the_budget_holds_and_no_number_changes(
    told: list[tuple[diagnoses.Source, str]], budget: int, kind: str
) -> None:
    pieces = tuple(piece(number, source, body) for number, (source, body) in enumerate(told, 1))
    kept, left = ranking.fit(pieces, budget, kind)
    assert sorted([*(one.number for one in kept), *left]) == [one.number for one in pieces]
    assert [one.number for one in kept] == sorted(one.number for one in kept)
    assert sum(len(one.title) + len(one.body) for one in kept) <= budget * ranking.CHARACTERS
    for one in kept:
        whole = pieces[one.number - 1]
        assert one == whole or (one.cut and one.source == whole.source and one.title == whole.title)
