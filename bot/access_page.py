"""`watchkeeper rbac`: the roles of `k8s.access` as YAML that kubectl applies, each rule with the actions it is for.

Pure but for the policy file that `roles` is given; `bot.__main__` prints what comes out.
"""

import json
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot import errors, impersonation, policies
from k8s import access, identities, names, policy

PREFIX = "watchkeeper"
HOME = "watchkeeper"
"""Namespace of the two service accounts, as in deploy/rbac.yaml."""
LABEL = "watchkeeper.io/rbac"
"""On all that is printed, with the prefix: so that what an earlier policy needed can be found and deleted."""
GROUP = "group:"
_WIDTH = 118
_API = "rbac.authorization.k8s.io"
_PLAIN = re.compile(r"[a-z][a-z0-9./-]*")
_NOT_TEXT = frozenset(("true", "false", "yes", "no", "on", "off", "null", "y", "n"))
_MOST_PREFIX = 40


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for on the command line."""

    prefix: str = PREFIX
    cluster: str = ""
    namespaces: tuple[str, ...] = ()
    impersonated: tuple[str, ...] = ()
    """Users, and groups after `group:`."""
    known: identities.Identities = identities.OFF
    """The users and groups of an impersonation file come besides."""


def file_faults(file: Path | None) -> tuple[str, ...]:
    """What is wrong in a policy file, line by line. Raises ConfigurationError where it cannot be read."""
    if file is None:
        return ()
    try:
        return tuple(str(fault) for fault in policies.parse(policies.read(file), file.name)[1])
    except policies.Unreadable as error:
        raise errors.ConfigurationError(f"{file}: {error}") from error


def text(rules: policy.Policy, wanted: Wanted) -> str:
    """All documents, with what they leave out at the top."""
    users = [name for name in wanted.impersonated if not name.startswith(GROUP)] + [*wanted.known.users]
    groups = [name.removeprefix(GROUP) for name in wanted.impersonated if name.startswith(GROUP)]
    groups += wanted.known.groups
    found = access.roles(
        rules, cluster=wanted.cluster, namespaces=wanted.namespaces, users=tuple(users), groups=tuple(groups)
    )
    documents = ["\n".join(_head(found, rules, wanted.prefix)) + "\n" + _namespace()]
    documents += [_account(account, wanted.prefix) for account in dict.fromkeys(role.account for role in found.roles)]
    documents += [part for role in found.roles for part in (_role(role, wanted.prefix), _binding(role, wanted.prefix))]
    return "---\n".join(documents)


def _head(found: access.Access, rules: policy.Policy, prefix: str) -> Iterator[str]:
    """Nothing in here comes from a file or a cluster but the hash and names that were checked."""
    said = [f"What Watchkeeper may do in a cluster, by the policy {rules.hash[:16]}. Made by `watchkeeper rbac`."]
    said.append(
        "The API server adds roles up: delete the roles and bindings of an earlier policy that are not in here "
        f"(kubectl get clusterroles,clusterrolebindings,roles,rolebindings -A -l {LABEL}={prefix})."
    )
    if all(role.account == "reader" for role in found.roles):
        said.append("Nothing may be written, so there is no writing identity.")
    elif found.left_out:
        said.append(f"Left out, as the policy never allows it here: {', '.join(found.left_out)}.")
    if found.bare:
        said.append(f"The policy allows nothing in {', '.join(found.bare)}.")
    for sentence in said:
        yield from _comment(sentence, "")


def _comment(sentence: str, indent: str) -> list[str]:
    return textwrap.wrap(
        sentence,
        _WIDTH,
        initial_indent=f"{indent}# ",
        subsequent_indent=f"{indent}# ",
        break_long_words=False,
        break_on_hyphens=False,
    )


# --- documents


def _namespace() -> str:
    return f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {HOME}\n"


def _account(account: access.Account, prefix: str) -> str:
    head = f"apiVersion: v1\nkind: ServiceAccount\n{_metadata(f'{prefix}-{account}', HOME, prefix)}"
    return head + ("automountServiceAccountToken: false\n" if account == "writer" else "")


def _role(role: access.Role, prefix: str) -> str:
    kind = "Role" if role.namespace else "ClusterRole"
    head = f"apiVersion: {_API}/v1\nkind: {kind}\n{_metadata(f'{prefix}-{role.name}', role.namespace, prefix)}rules:\n"
    return head + "".join(line + "\n" for rule in role.rules for line in _rule(role, rule))


def _rule(role: access.Role, rule: access.Rule) -> Iterator[str]:
    if role.account == "writer" and not rule.names:
        told = (
            ", ".join(rule.actions) or "what limits an action: marks of the namespace, autoscalers, disruption budgets"
        )
        yield from _comment(told, "  ")
    yield f"  - apiGroups: {_list((rule.group,))}"
    yield f"    resources: {_list(rule.resources)}"
    yield f"    verbs: {_list(rule.verbs)}"
    if rule.names:
        yield f"    resourceNames: {_list(rule.names)}"


def _binding(role: access.Role, prefix: str) -> str:
    kind = "Role" if role.namespace else "ClusterRole"
    name = f"{prefix}-{role.name}"
    return (
        f"apiVersion: {_API}/v1\nkind: {kind}Binding\n{_metadata(name, role.namespace, prefix)}"
        f"roleRef:\n  apiGroup: {_API}\n  kind: {kind}\n  name: {_scalar(name)}\n"
        f"subjects:\n  - kind: ServiceAccount\n    name: {_scalar(f'{prefix}-{role.account}')}\n    namespace: {HOME}\n"
    )


def _metadata(name: str, namespace: str, prefix: str) -> str:
    within = f"  namespace: {_scalar(namespace)}\n" if namespace else ""
    return f"metadata:\n  name: {_scalar(name)}\n{within}  labels:\n    {LABEL}: {_scalar(prefix)}\n"


def _list(values: Sequence[str]) -> str:
    return f"[{', '.join(map(_scalar, values))}]"


def _scalar(value: str) -> str:
    """As text, whatever it looks like: a namespace may be called `on` or `123`. JSON's strings are YAML's."""
    return value if _PLAIN.fullmatch(value) and value not in _NOT_TEXT else json.dumps(value)


# --- what a person typed. Each raises ValueError with what is wrong.


def prefix(given: str) -> str:
    if not names.is_label(given) or len(given) > _MOST_PREFIX:
        raise ValueError(f"{given!r} is no prefix: write up to {_MOST_PREFIX} small letters, digits or -")
    return given


def namespaces(given: str) -> tuple[str, ...]:
    """Names, with commas between. No globs: RBAC knows none."""
    found = tuple(name for each in given.split(",") if (name := each.strip()))
    wrong = next((name for name in found if not names.is_label(name)), None)
    if wrong is not None or not found:
        raise ValueError(f"{wrong or given!r} is no namespace: write names such as payments,shop, without globs")
    return found


def impersonated(given: str) -> tuple[str, ...]:
    """Users and `group:` names, with commas between. The cluster's own names are refused, and `*` too: by those a bot
    that writes in a person's name would be its administrator."""
    found = tuple(name for each in given.split(",") if (name := each.strip()))
    for name in found or ("",):
        bare = name.removeprefix(GROUP)
        if impersonation.name_fault(bare) or " " in bare:
            raise ValueError(
                f"{name!r} is nobody to be named: write users and groups such as ann@example.com,group:sre"
            )
    return found
