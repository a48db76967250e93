"""What may be a command that is run in a container at all, and which the policy lists: as argv, and never a shell.

Pure. Called by `bot.policies` when the file is read, by `k8s.actions.exec_command` for the parameters, and by
`k8s.guardrails` when it is judged. The API hands argv to the container runtime as it is: no shell reads it
(https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.34/#execaction-v1-core says the same of probes).
"""

import posixpath
import re
import shlex
from collections.abc import Iterator, Sequence

from k8s import model, policy, policy_rules, policy_tiers

MOST_WORDS = 32
MOST_CHARACTERS = 500
LONGEST_S = 60
_PROGRAM = re.compile(r"(/[A-Za-z0-9._+@-]+)+|[A-Za-z0-9][A-Za-z0-9._+@-]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_BUILD = re.compile(r"[.-](static|real|distrib|extras)$")
_VERSION = re.compile(r"[-0-9.]+$")

_SHELLS = "sh bash rbash ash dash zsh ksh mksh pdksh oksh yash fish csh tcsh elvish nu xonsh pwsh powershell cmd"
SHELLS = frozenset(_SHELLS.split())
_WRAPPERS = (
    "busybox toybox env xargs parallel nsenter unshare chroot sudo su doas runuser setpriv gosu su-exec tini dumb-init "
    "nohup setsid timeout nice ionice chrt taskset stdbuf time watch script expect strace ltrace gdb ssh find "
    "exec eval command source start-stop-daemon flock ld.so crictl ctr docker podman nerdctl runc "
    "crun kubectl oc helm rsync scp sftp socat nc ncat netcat tar bsdtar zip git unbuffer setarch prlimit numactl "
    "pkexec sg newgrp at batch crontab screen tmux chpst systemd-run entr rlwrap npm npx pnpm yarn pip uv cargo"
)
WRAPPERS = frozenset(_WRAPPERS.split())
_INTERPRETERS = (
    "python pypy ipython perl ruby irb node nodejs deno bun php lua luajit tclsh wish awk gawk mawk nawk sed ed ex vi "
    "vim nvim emacs rscript r julia guile racket java jshell groovy scala kotlin erl escript elixir iex osascript "
    "gcc cc tcc make m4 bc dc sqlite"
)
INTERPRETERS = frozenset(_INTERPRETERS.split())


def fault(argv: Sequence[str]) -> str:
    """Why this can be no command here, as words that go on after "it"; empty where it can."""
    if not argv or len(argv) > MOST_WORDS:
        return f"has {len(argv)} words: write 1 to {MOST_WORDS}"
    for word in argv:
        if len(word) > MOST_CHARACTERS:
            return f"has a word of more than {MOST_CHARACTERS} characters"
        if _CONTROL.search(word):
            return "has a line break, a NUL or another character that cannot be seen"
    program = argv[0]
    if _PROGRAM.fullmatch(program) is None or "/../" in program or "/./" in program:
        return "does not begin with a program: write a plain name (`cat`) or an absolute path (`/bin/cat`)"
    return _refused(posixpath.basename(program))


def _refused(base: str) -> str:
    plain = base.lower()
    plain = _BUILD.sub("", plain)
    names = {plain, _VERSION.sub("", plain), plain.removesuffix(".exe")}
    if plain.startswith(("ld-linux", "ld-musl")):
        names.add("ld.so")
    if names & SHELLS:
        return f"begins with the shell {base}: one approved line could then be anything. Name the program itself"
    if names & WRAPPERS:
        return f"begins with {base}, which runs other programs: name the program itself"
    if names & INTERPRETERS:
        return f"begins with {base}, which runs code from its arguments or input: put what it does into a program"
    return ""


def line(argv: Sequence[str]) -> str:
    """As one line, which `words` gives back; for people, and for the policy, in which tuples have no order."""
    return shlex.join(argv)


def words(text: str) -> tuple[str, ...]:
    return tuple(shlex.split(text))


# --- what the policy says


def refusals(rules: policy.Policy, action: model.Action, cluster: str) -> list[str]:
    """Why the policy does not let this command be run there: sentences. Each list of commands must have it."""
    if not isinstance(action, model.ExecCommand):
        return []
    if not rules.commands:
        return ["The policy lists no commands, so none is run in a container."]
    found = []
    for listed in rules.commands:
        named = [each for each in listed.entries if each.name == action.command]
        where = f" ({listed.source})" if listed.source else ""
        if not named:
            found.append(f"The policy lists no command {action.command}{where}.")
        elif not any(_same(each, action) for each in named):
            found.append(f"The policy's command {action.command} is another one{where}.")
        elif not any(_here(each, action, cluster) for each in named if _same(each, action)):
            found.append(f"The policy has the command {action.command} for other places or containers{where}.")
    return found


def _same(entry: policy.Command, action: model.ExecCommand) -> bool:
    return words(entry.line) == action.argv and entry.seconds == action.seconds


def _here(entry: policy.Command, action: model.ExecCommand, cluster: str) -> bool:
    """An unknown cluster fits no entry that names clusters, as with allowances."""
    return (
        policy_rules.fits(entry.containers, action.container)
        and policy_rules.fits(entry.namespaces, action.pod.namespace)
        and (not entry.kinds or action.workload.kind in entry.kinds)
        and (not entry.clusters or (bool(cluster) and policy_rules.fits(entry.clusters, cluster)))
    )


def entries(rules: policy.Policy, action: model.ExecCommand) -> list[policy.Command]:
    """The entries of this name in all lists."""
    return [each for listed in rules.commands for each in listed.entries if each.name == action.command]


def raised(rules: policy.Policy, action: model.Action, weight: policy_tiers.Weight) -> policy_tiers.Weight:
    """With the tier that the entries give it, where that is higher."""
    if not isinstance(action, model.ExecCommand):
        return weight
    tier = max((weight.tier, *(each.risk for each in entries(rules, action))), key=policy.TIERS.index)
    if tier == weight.tier:
        return weight
    return policy_tiers.Weight(tier, (*weight.reasons, f"The policy has {action.command} as of {tier} risk."))


def told(rules: policy.Policy, action: model.Action) -> Iterator[str]:
    """What people should know before: that it is not taken back, as the entries say it."""
    if isinstance(action, model.ExecCommand):
        yield from dict.fromkeys(each.undo for each in entries(rules, action) if each.undo)
