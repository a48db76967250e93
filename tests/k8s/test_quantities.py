"""Quantities: exact amounts, and one way to write each."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import quantities


@pytest.mark.parametrize(
    ("text", "resource", "amount", "canonical"),
    [
        ("500m", "cpu", 500, "500m"),
        ("0.5", "cpu", 500, "500m"),
        (".25", "cpu", 250, "250m"),
        ("2", "cpu", 2000, "2"),
        ("2000m", "cpu", 2000, "2"),
        ("2e3m", "cpu", None, ""),
        ("100u", "cpu", None, ""),
        ("1000u", "cpu", 1, "1m"),
        ("256Mi", "memory", 256 * 2**20, "256Mi"),
        ("1024Mi", "memory", 2**30, "1Gi"),
        ("1.5Gi", "memory", 1536 * 2**20, "1536Mi"),
        ("256M", "memory", 256_000_000, "250000Ki"),
        ("1e3", "memory", 1000, "1000"),
        ("1E", "memory", 10**18, "976562500000000Ki"),
        ("100m", "memory", None, ""),
        ("0", "memory", 0, "0"),
        ("-1", "cpu", None, ""),
        ("", "cpu", None, ""),
        ("1 Gi", "memory", None, ""),
        ("1Gb", "memory", None, ""),
        ("9" * 19, "memory", None, ""),
        ("999Ei", "memory", None, ""),
        ("٣", "cpu", None, ""),
    ],
)
def test_an_amount_and_how_it_is_written(
    text: str, resource: quantities.Resource, amount: int | None, canonical: str
) -> None:
    assert quantities.parse(text, resource) == amount
    if amount is not None:
        assert quantities.canonical(amount, resource) == canonical
        assert quantities.is_canonical(text, resource) == (text == canonical)
    else:
        assert not quantities.is_canonical(text, resource)


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 2**62), st.sampled_from(("cpu", "memory")))
def test_every_amount_is_written_in_one_way_that_reads_as_itself(amount: int, resource: quantities.Resource) -> None:
    text = quantities.canonical(amount, resource)
    assert quantities.parse(text, resource) in (amount, None)
    assert quantities.parse(text, resource) is not None or amount > 10**18
    assert quantities.is_canonical(text, resource) or amount > 10**18


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=12), st.sampled_from(("cpu", "memory")))
def test_no_text_is_an_error(text: str, resource: quantities.Resource) -> None:
    amount = quantities.parse(text, resource)
    assert amount is None or amount >= 0
