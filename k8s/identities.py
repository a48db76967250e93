"""Who people are in the cluster: as whom the writer writes what they approved, so that the cluster's own audit log
names the person.

Pure. `bot.impersonation` makes it of the file that WATCHKEEPER_IMPERSONATION_FILE names; `k8s.guardrails` writes the
identity into the permit and compares it once more right before the write, and `k8s.executor` asks as whom.
https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from k8s import model


@dataclass(frozen=True, slots=True)
class Identities:
    """From the ids of people (Slack users) to their identities."""

    people: Mapping[str, model.Identity] = field(default_factory=dict)
    required: bool = True
    """Whether nobody may approve who has no identity. Otherwise what they approve is written in the writer's name."""

    @property
    def on(self) -> bool:
        return bool(self.people)

    def of(self, user: str) -> model.Identity | None:
        """As whom it is written what this person approved; None: in the writer's own name."""
        return self.people.get(user)

    def lacks(self, user: str) -> bool:
        """Whether this person may not approve anything, as the cluster knows nobody by whose name it could be done."""
        return self.on and self.required and user not in self.people

    def among(self, people: Collection[str] | None) -> Sequence[str]:
        """Those of these (None: of all) who have an identity, in order."""
        return sorted(self.people.keys() if people is None else self.people.keys() & set(people))

    @property
    def users(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.user for one in self.people.values()))

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(group for one in self.people.values() for group in one.groups))


OFF = Identities()
"""Everything is written in the writer's own name."""


def lacking(user: str) -> str:
    """That this person has no identity, as a sentence for the record."""
    return f"{user} has no identity in the impersonation file."
