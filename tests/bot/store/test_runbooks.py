"""Runbooks as rows, and which of them fit."""

from dataclasses import replace
from typing import Any

import hypothesis
from hypothesis import strategies

from bot.domain import consultations
from bot.store import engine, runbooks
from tests.bot.store import examples

CRASH = frozenset({"CrashLoopBackOff", "NotReady"})


def _book(name: str = "database", **changes: Any) -> consultations.Runbook:
    values: dict[str, Any] = {
        "name": name,
        "title": "When the database is away",
        "body": "Look at db.payments first. Then fail over.",
        "source": "slack",
        "added_by": "U1",
        "added_at": examples.NOW,
    }
    return consultations.Runbook(**{**values, **changes})


async def _put(store: engine.Database, *books: consultations.Runbook) -> list[bool]:
    async with store.begin() as tx:
        return [await tx.runbooks.put(one, examples.NOW) for one in books]


async def _fitting(store: engine.Database, text: str = "", **changes: Any) -> list[str]:
    asked: dict[str, Any] = {"cluster": "prod-eu", "kinds": CRASH, "labels": {"app": "api", "team": "payments"}}
    async with store.begin() as tx:
        found = await tx.runbooks.matching(**{**asked, **changes}, text=text, limit=10)
    return [one.name for one in found]


async def test_what_is_put_is_read_as_it_was_and_twice_the_same_is_no_change(store: engine.Database) -> None:
    book = _book(kinds=("CrashLoopBackOff",), labels={"app": "api"}, cluster="prod-eu", source="configmap")
    assert await _put(store, book, book, replace(book, body="Something else.")) == [True, False, True]
    async with store.begin() as tx:
        assert await tx.runbooks.all() == [replace(book, body="Something else.")]


async def test_one_name_of_two_sources_is_two_runbooks(store: engine.Database) -> None:
    assert await _put(store, _book(), _book(source="folder")) == [True, True]
    async with store.begin() as tx:
        assert await tx.runbooks.remove("slack", "database")
        assert not await tx.runbooks.remove("slack", "database")
        assert [one.source for one in await tx.runbooks.all()] == ["folder"]


async def test_what_is_gone_from_a_folder_goes_and_nothing_else_does(store: engine.Database) -> None:
    await _put(store, _book("a", source="folder"), _book("b", source="folder"), _book("c"))
    await _put(store, _book("d", source="configmap", cluster="prod-us"))
    async with store.begin() as tx:
        assert await tx.runbooks.keep_only("folder", "", {"b"}) == 1
        assert await tx.runbooks.keep_only("configmap", "prod-eu", ()) == 0
        assert [one.name for one in await tx.runbooks.all()] == ["b", "c", "d"]


async def test_kinds_and_labels_must_fit_where_they_are_said(store: engine.Database) -> None:
    await _put(
        store,
        _book("of-kind", kinds=("CrashLoopBackOff", "OOMKilled")),
        _book("of-another-kind", kinds=("ImagePull",)),
        _book("of-labels", labels={"app": "api"}),
        _book("of-other-labels", labels={"app": "web"}),
        _book("of-both", kinds=("NotReady",), labels={"team": "payments", "app": "api"}),
        _book("of-kind-and-other-labels", kinds=("NotReady",), labels={"app": "web"}),
        _book("elsewhere", kinds=("NotReady",), cluster="prod-us", source="configmap"),
    )
    assert await _fitting(store) == ["of-both", "of-kind", "of-labels"]
    assert await _fitting(store, cluster="prod-us") == ["of-both", "elsewhere", "of-kind", "of-labels"]
    assert await _fitting(store, labels={}, kinds=()) == []


async def test_one_that_names_neither_is_found_by_its_words(store: engine.Database) -> None:
    await _put(store, _book(), _book("queues", title="Slow queues", body="The broker rabbit needs memory and disk."))
    assert await _fitting(store, "dial tcp: lookup database: no such host") == ["database"]
    assert await _fitting(store, "could not reach the pod") == []
    assert await _fitting(store, "the disk is full") == []
    assert await _fitting(store, "broker rabbit ran out of memory") == ["queues"]
    assert await _fitting(store, "") == []


async def test_among_those_that_fit_words_say_which_is_nearer(store: engine.Database) -> None:
    kinds = ("CrashLoopBackOff",)
    await _put(
        store,
        _book("a", title="Crashes", body="Any crash.", kinds=kinds),
        _book("b", title="Crashes of the ledger", body="The ledger needs its key.", kinds=kinds),
    )
    assert await _fitting(store, "ledger: key not found") == ["b", "a"]


async def test_no_more_than_asked_for(store: engine.Database) -> None:
    await _put(store, *(_book(f"book-{number}", kinds=("NotReady",)) for number in range(5)))
    async with store.begin() as tx:
        found = await tx.runbooks.matching("prod-eu", CRASH, {}, "", 2)
    assert [one.name for one in found] == ["book-0", "book-1"]


async def test_text_that_is_a_query_or_cannot_be_kept_is_only_text(store: engine.Database) -> None:
    await _put(store, _book())
    for hostile in (
        "database' | !!! & (",
        "'); DROP TABLE runbook; --",
        "\x00\ud800 database:* <-> <2>",
        "%s %(a)s {}",
    ):
        await _fitting(store, hostile)
    assert await _fitting(store, "database' | !!! & (") == ["database"]


@hypothesis.given(strategies.text(max_size=400))
@hypothesis.settings(deadline=None, max_examples=60)
def test_words_are_few_different_and_of_this_text(text: str) -> None:
    found = runbooks.telling(text)
    assert len(found) == len(set(found)) <= runbooks.WORDS
    assert all(len(word) >= 3 and word == word.lower() for word in found if word.isascii())
