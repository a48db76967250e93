"""Texts, times and quantities of a cluster, as findings write them."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import phrases


@pytest.mark.parametrize(
    ("text", "limit", "clipped"),
    [
        (None, 10, ""),
        ("two\n  words", 10, "two words"),
        ("exactly ten", 11, "exactly ten"),
        ("exactly eleven", 10, "exactly …"),
        ("token=abcdefgh", 5, "…"),
        ("a " + "b" * 100, 10, "a …"),
        ("a b" + " " * 100, 10, "a …"),
    ],
)
def test_a_text_is_cut_between_words(text: str | None, limit: int, clipped: str) -> None:
    assert phrases.clip(text, limit) == clipped


@settings(deadline=None, max_examples=100)
@given(st.text(alphabet="ab \n\t", max_size=400), st.integers(1, 40))
def test_a_clipped_text_holds_whole_words_of_the_text_only(text: str, limit: int) -> None:
    clipped = phrases.clip(text, limit)
    assert len(clipped) <= limit + 2
    kept = clipped.removesuffix("…").split()
    assert kept == text.split()[: len(kept)]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (172_799, "47 h"), (172_800, "2 d")],
)
def test_a_length_of_time_is_said_in_one_unit(seconds: int, said: str) -> None:
    assert phrases.duration(timedelta(seconds=seconds)) == said


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500m", 0.5),
        ("2", 2.0),
        (2, 2.0),
        (1.5, 1.5),
        ("1k", 1000.0),
        ("1Ki", 1024.0),
        ("1.5Gi", 1.5 * 1024**3),
        ("1E", 1e18),
        (4_294_967_296, 4_294_967_296.0),
    ],
)
def test_a_quantity_is_read_in_its_base_unit(text: object, value: float) -> None:
    assert phrases.quantity(text) == pytest.approx(value)


@pytest.mark.parametrize(
    "text", [None, "", "lots", "-1", True, float("inf"), float("nan"), 10**400, [], "1e9999", "1 Gi"]
)
def test_what_is_no_quantity_is_none(text: object) -> None:
    assert phrases.quantity(text) is None


@pytest.mark.parametrize(("value", "said"), [(0.25, "250m"), (2.0, "2"), (1.5, "1500m"), (16.0, "16")])
def test_cpu_is_written_as_in_a_manifest(value: float, said: str) -> None:
    assert phrases.cores(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (512, "512"),
        (2048, "2Ki"),
        (256 * 1024**2, "256Mi"),
        (2 * 1024**3, "2Gi"),
        (1.5 * 1024**3, "1536Mi"),
        (1000, "1000"),
    ],
)
def test_memory_is_written_as_in_a_manifest(value: float, said: str) -> None:
    assert phrases.size(value) == said
