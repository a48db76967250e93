"""The commands of the policy file: read whole or not at all, and told in plain sentences."""

from datetime import UTC, datetime

import pytest

from bot import policies
from k8s import commands, policy, policy_words

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
HEAD = "version: 1\ncommands:\n"


def good(text: str) -> policy.Policy:
    found, faults = policies.parse(text, "p.yaml")
    assert faults == ()
    assert found is not None
    return found


def entry(argv: str, more: str = "") -> str:
    return f"{HEAD}  - name: one\n    argv: {argv}\n{more}"


def test_an_entry_is_kept_word_by_word_with_its_places_and_its_line() -> None:
    more = (
        "    containers: web*\n    kinds: Deployment\n    risk: medium\n    timeout_seconds: 20\n    undo: It is gone\n"
    )
    (listed,) = good(entry('[app-ctl, "a b", "1", "*"]', more)).commands
    (one,) = listed.entries
    assert commands.words(one.line) == ("app-ctl", "a b", "1", "*")
    assert (one.containers, one.kinds, one.risk, one.seconds) == (("web*",), ("Deployment",), "medium", 20)
    assert (one.undo, one.source, listed.source) == ("It is gone", "p.yaml:3", "p.yaml")


def test_what_is_left_out_is_the_stricter_or_all() -> None:
    (one,) = good(entry("[cat, /a]")).commands[0].entries
    assert (one.risk, one.seconds, one.containers) == ("high", 30, ())


def test_a_file_without_the_key_says_nothing_and_one_with_an_empty_list_says_none() -> None:
    assert good("version: 1\n").commands == ()
    assert good("version: 1\ncommands: []\n").commands == (policy.Commands(source="p.yaml"),)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (entry("[sh, -c, id]"), "p.yaml:4: `argv` is wrong: it begins with the shell sh"),
        (entry("[/usr/bin/env, x]"), "which runs other programs"),
        (entry("[python3, x.py]"), "which runs code"),
        (entry("[]"), "has 0 words"),
        (entry("cat /a"), "write a list"),
        (entry("[cat, 1]"), "write a text"),
        (entry('["cat", "a\\nb"]'), "line break"),
        (entry("[cat]", "    risk: low\n"), "none of the words that it can be"),
        (entry("[cat]", "    timeout_seconds: 61\n"), "out of bounds"),
        (entry("[cat]", "    shell: true\n"), "`shell` is no key here"),
        (entry("[cat]", "  - name: one\n    argv: [ls]\n"), "`name` one is taken"),
        (HEAD + "  - name: one\n", "`argv` is missing"),
    ],
)
def test_a_fault_is_told_and_leaves_no_policy(text: str, told: str) -> None:
    found, faults = policies.parse(text, "p.yaml")
    assert found is None
    assert told in str(faults[0])


def test_people_are_told_what_may_be_run() -> None:
    def lines(rules: policy.Policy, place: policy_words.Place) -> tuple[str, ...]:
        parts = {part.title: part.lines for part in policy_words.told(rules, NOW, about=place)}
        return parts.get("What may be run in containers", ())

    rules = good(entry("[cat, /a]", "    namespaces: shop\n    undo: It is gone.\n"))
    told = "One: `cat /a` in namespace `shop`, for at most 30 s, of high risk, p.yaml:3. It is gone."
    assert lines(rules, policy_words.Place()) == (told,)
    assert lines(rules, policy_words.Place(namespace="other")) == ()
    assert lines(rules, policy_words.Place(action="scale")) == ()
    assert lines(policy.Policy(), policy_words.Place()) == (
        "Nothing is run in a container: the policy lists no commands.",
    )


def test_rules_may_name_actions_of_ones_own_that_are_not_here() -> None:
    rules = good("version: 1\ndeny:\n  - name: none\n    actions: [custom-*, custom-not-here]\n")
    assert rules.rules[0].actions == ("custom-*", "custom-not-here")
    assert policies.parse("version: 1\ndeny:\n  - name: none\n    actions: [custom]\n", "p.yaml")[0] is None
