"""What may be a command in a container: a program and its words, and nothing that runs whatever it is told to."""

import shlex

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import commands, policy

WORDS = st.lists(st.text(max_size=20), min_size=1, max_size=5)


@pytest.mark.parametrize(
    "argv",
    [
        ("cat", "/etc/app.conf"),
        ("/usr/local/bin/app-ctl", "cache", "flush", "--all"),
        ("redis-cli", "BGSAVE"),
        ("nginx", "-s", "reload"),
        ("cat", "; rm -rf /"),
        ("echo", "$(id)", "`id`", "&&", "sh"),
    ],
)
def test_a_program_with_its_words_may_be(argv: tuple[str, ...]) -> None:
    assert commands.fault(argv) == ""


@pytest.mark.parametrize("program", ["sh", "/bin/bash", "ASH", "dash", "zsh", "ksh", "fish", "csh", "pwsh", "sh.exe",
                                     "bash-static"])  # fmt: skip
def test_a_shell_may_not_be_and_the_reason_is_said(program: str) -> None:
    assert "the shell" in commands.fault((program, "-c", "id"))


@pytest.mark.parametrize(
    "program", ["env", "/usr/bin/xargs", "busybox", "nsenter", "sudo", "su", "timeout", "ssh", "find", "tini",
                "ld-linux-x86-64.so.2", "tar", "/usr/bin/kubectl", "nice", "rsync", "busybox-static", "systemd-run"]
)  # fmt: skip
def test_what_runs_other_programs_may_not_be(program: str) -> None:
    assert "runs other programs" in commands.fault((program, "x"))


@pytest.mark.parametrize(
    "program", ["python", "python3", "/usr/bin/python3.11", "perl5.36", "node", "ruby", "awk", "php8"]
)
def test_what_runs_code_may_not_be(program: str) -> None:
    assert "runs code" in commands.fault((program, "-c", "x"))


@pytest.mark.parametrize(
    "argv",
    [(), ("",), ("-c",), ("./x",), ("a/b",), ("/../bin/x",), ("/x/../sh",), ("a b",), ("cat", "a\x00b"),
     ("cat", "a\nb"),
     ("cat", "\x1b[2J"), ("cat", "a\u202eb"), ("cat", "x" * 501), ("cat",) * 33],
)  # fmt: skip
def test_what_is_no_program_or_cannot_be_read_may_not_be(argv: tuple[str, ...]) -> None:
    assert commands.fault(argv)


@settings(max_examples=100, deadline=None)
@given(WORDS)
def test_a_line_gives_its_words_back(argv: list[str]) -> None:
    assert commands.words(commands.line(argv)) == tuple(argv)
    assert shlex.split(commands.line(argv)) == argv


@settings(max_examples=100, deadline=None)
@given(WORDS, WORDS)
def test_two_commands_have_one_hash_only_where_they_are_one(one: list[str], other: list[str]) -> None:
    def hashed(argv: list[str]) -> str:
        entry = policy.Command(name="x", line=commands.line(argv))
        return policy.Policy(commands=(policy.Commands(entries=(entry,)),)).hash

    assert (hashed(one) == hashed(other)) == (one == other)
    assert hashed(one) == hashed(one)


def test_the_order_of_words_is_part_of_the_policys_hash() -> None:
    hashes = {
        policy.Policy(commands=(policy.Commands(entries=(policy.Command(name="x", line=line),)),)).hash
        for line in ("mv a b", "mv b a")
    }
    assert len(hashes) == 2


def test_a_part_of_a_policy_that_says_nothing_of_commands_leaves_them_to_the_others() -> None:
    listed = policy.Policy(commands=(policy.Commands(entries=(policy.Command(name="x", line="cat a"),)),))
    assert policy.merged(listed, policy.NEUTRAL).commands == listed.commands
    empty = policy.Policy(commands=(policy.Commands(source="none.yaml"),))
    assert len(policy.merged(listed, empty).commands) == 2
    assert policy.merged(listed, empty).hash == policy.merged(empty, listed).hash
    assert msgspec.json.decode(msgspec.json.encode(listed), type=policy.Policy) == listed
