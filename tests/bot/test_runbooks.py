"""Runbooks as people write them."""

import hypothesis
import pytest
from hypothesis import strategies

from bot import formats, runbooks

FRONT = """---
title: When the ledger
  is away
kinds: [CrashLoopBackOff, oomkilled]
labels: {app: ledger, tier: 2}
---
"""


def test_front_matter_says_what_it_is_for() -> None:
    book = runbooks.read("ledger", f"{FRONT}# A heading\n1. Look.\n", "folder")
    assert (book.title, book.kinds, dict(book.labels)) == (
        "When the ledger is away", ("CrashLoopBackOff", "OOMKilled"), {"app": "ledger", "tier": "2"},
    )  # fmt: skip
    assert book.body == "# A heading\n1. Look."


@pytest.mark.parametrize(
    "front", ["---\n: [\n---\n", "---\n- a\n- b\n---\n", "---\ntitle: x\n", "---\n" + "a: &a [*a]\n" + "---\n"]
)
def test_front_matter_that_cannot_be_read_loses_no_text(front: str) -> None:
    book = runbooks.read("ledger", f"{front}# Ledger\nLook.", "folder")
    assert "Look." in book.body
    assert book.title == "Ledger"


def test_without_front_matter_the_first_heading_is_its_title_and_else_its_name() -> None:
    assert runbooks.read("ledger", "text\n## The *ledger* ##\nmore", "folder").title == "The *ledger*"
    assert runbooks.read("ledger", "text", "configmap", cluster="prod").title == "ledger"


def test_kinds_that_nobody_knows_leave_a_runbook_for_any() -> None:
    assert runbooks.read("a", "---\nkinds: [Nonsense]\n---\nLook.", "folder").kinds == ()
    assert runbooks.read("a", "---\nkinds: NotReady, OOMKilled\n---\nLook.", "folder").kinds == (
        "NotReady",
        "OOMKilled",
    )


def test_a_line_of_a_command_is_taken_apart() -> None:
    entry = runbooks.typed("ledger labels a=b,c=d title \u201cTwo words\u201d kinds NotReady title is text\nmore")
    assert entry == runbooks.Entry("ledger", "Two words", "NotReady", "a=b,c=d", "title is text\nmore")
    assert runbooks.typed("ledger") == runbooks.Entry("ledger")
    assert runbooks.typed("") == runbooks.Entry("")


@hypothesis.given(strategies.text(max_size=300))
@hypothesis.settings(deadline=None, max_examples=150)
def test_any_text_is_a_runbook_or_is_refused_with_a_reason(text: str) -> None:
    assert runbooks.read("a", text, "folder").title
    try:
        told = runbooks.made(runbooks.typed(f"name {text}"), "U1").body
    except runbooks.Wrong as fault:
        told = str(fault) if fault.field in {"title", "kinds", "labels", "body"} else ""
    assert told


def test_a_configmap_is_named_by_its_namespace_and_name() -> None:
    assert (formats.configmap("ops/runbooks"), formats.configmap("")) == ("ops/runbooks", "")
    for wrong in ("runbooks", "ops/", "/runbooks", "ops/run/books", "Ops/runbooks", "ops/../secrets"):
        with pytest.raises(ValueError, match="not namespace/name"):
            formats.configmap(wrong)
