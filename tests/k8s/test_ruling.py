"""The file of rules: what is whole becomes rules, and each fault is named with its line and what to do."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import ruling

GOOD = """\
# Rules of the platform team
- kind: CertificateNotReady
  resource:
    apiVersion: cert-manager.io/v1
    kind: Certificate
  namespaces: [payments, "team-*"]
  when: |
    object.?status.?conditions.orValue([]).exists(c,
      c.type == "Ready" && c.status != "True")
  message: '"Certificate " + object.metadata.name + " is not ready"'
  severity: p1
  grace: 15m
  since: object.metadata.creationTimestamp
  cause: object.spec.secretName
  owner: self
  doc: https://example.org/runbook
  next_step: Look at the Order.
- kind: ConfigMapMarked
  resource: {apiVersion: v1, kind: ConfigMap}
  when: has(object.data) && "broken" in object.data
  message: object.data.broken
"""


def faults(text: str, taken: tuple[str, ...] = ()) -> list[str]:
    rules, found = ruling.parse(text, "rules.yaml", taken)
    assert rules == ()
    return [str(fault) for fault in found]


def test_a_whole_file_becomes_its_rules() -> None:
    (first, second), found = ruling.parse(GOOD, "rules.yaml")
    assert found == ()
    assert (first.kind, first.source, str(first.resource)) == (
        "CertificateNotReady",
        "rules.yaml:2",
        "cert-manager.io/v1/Certificate",
    )
    assert (first.namespaces, first.severity, first.grace) == (("payments", "team-*"), "P1", timedelta(minutes=15))
    assert (first.owner, first.doc, first.next_step) == ("self", "https://example.org/runbook", "Look at the Order.")
    assert first.since is not None
    assert first.cause is not None
    assert (second.namespaces, second.severity, second.grace, second.owner) == ((), "P2", timedelta(0), "controller")
    assert (second.source, second.resource.group, first.resource.group) == ("rules.yaml:18", "", "cert-manager.io")


@pytest.mark.parametrize(
    ("was", "now", "fault"),
    [
        ("  severity: p1", "  severety: p1", "11: `severety` is no key of a rule (did you mean `severity`?)"),
        ("  severity: p1", "  colour: red", "11: `colour` is no key of a rule (there are kind, resource, when"),
        ("  severity: p1", "  severity: high", "11: `severity` is none: write P1, P2 or P3"),
        ("  grace: 15m", "  grace: soon", "12: `grace` is no duration up to a day: write one such as 90s, 15m or 12h"),
        ("  grace: 15m", "  grace: 2d", "12: `grace` is no duration up to a day"),
        ("  grace: 15m", "  grace: [15m]", "12: `grace` is no text: write one value"),
        ("  owner: self", "  owner: boss", "15: `owner` is wrong: write controller (the default) or self"),
        ("  doc: https:", "  doc: ftp:", "16: `doc` is no address: write one that begins with https://"),
        ("    kind: Certificate\n", "", "4: `kind` of the resource is wrong: write it as Certificate"),
        (
            "cert-manager.io/v1",
            "cert-manager/",
            "4: `apiVersion` of the resource is wrong: write it as cert-manager.io",
        ),
        ('[payments, "team-*"]', "payments", "6: `namespaces` is no list: write [payments, team-*]"),
        ('"team-*"', '"../x"', "6: `../x` is no namespace or glob: write one such as team-*"),
        ('c.type == "Ready" &&', 'c.type == "Ready" &', "9: `when` cannot be evaluated: token recognition error"),
        ("  owner: self\n", "  grace: 1m\n", "15: `grace` is written twice: write it once"),
        ("object.spec.secretName", "secret", "14: `cause` cannot be evaluated: undeclared reference to 'secret'"),
        ("since: object.metadata.creationTimestamp", "since: '3'", "13: `since` cannot be evaluated: it gives int"),
    ],
)
def test_a_fault_is_named_with_its_line_and_what_to_do_and_the_other_rule_is_whole(
    was: str, now: str, fault: str
) -> None:
    assert was in GOOD
    rules, found = ruling.parse(GOOD.replace(was, now, 1), "rules.yaml")
    assert [rule.kind for rule in rules] == ["ConfigMapMarked"]
    assert str(found[0]).startswith(f"rules.yaml:{fault}")


def test_all_faults_are_told_at_once_in_the_order_of_the_lines() -> None:
    text = "- kind: NotReady\n  when: '1 +'\n  messge: x\n- 3\n"
    assert faults(text, ("NotReady",)) == [
        "rules.yaml:1: the rule has no `resource`: add it",
        "rules.yaml:1: the rule has no `message`: add it",
        "rules.yaml:1: `kind` NotReady is taken by the catalogue or another detector: choose another name",
        "rules.yaml:2: `when` cannot be evaluated: mismatched input '<EOF>' (column 4)",
        "rules.yaml:3: `messge` is no key of a rule (did you mean `message`?)",
        "rules.yaml:4: this is not a rule: write `kind: …`, `resource: …`, `when: …`, `message: …`",
    ]


def test_two_rules_of_one_kind_are_a_fault() -> None:
    rules, found = ruling.parse(GOOD + GOOD.partition("\n")[2], "rules.yaml")
    assert len(rules) == 2
    assert [fault.line for fault in found] == [22, 38]
    assert "is taken by the rule in line 2: choose another name" in str(found[0])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "1: there is no rule in it"),
        ("# nothing\n", "1: there is no rule in it"),
        ("rules: []\n", "1: this is not a list"),
        ("- kind: [A\n", "2: this is not YAML"),
        ("- &a [*a]\n", "1: this is not a rule"),
        ("- *nobody\n", "1: this is not YAML: found undefined alias 'nobody'"),
        ("- kind: A\n\tx: 1\n", "2: this is not YAML"),
        ("- a\x00b", "1: this is not YAML"),
        ("x" * 300_000, "1: the file is longer than 262,144 characters"),
        ("[" * 20_000, "1: "),
        ("- {}\n" * 101, "101: there are more than 100 rules"),
    ],
)
def test_what_is_no_file_of_rules_is_one_fault(text: str, fault: str) -> None:
    assert faults(text)[0].startswith(f"rules.yaml:{fault}")


@settings(deadline=None, max_examples=80)
@given(st.text(alphabet="-:#|>'\"[]{}&*! \n\tkindresourcewhenmessage1", max_size=120) | st.text(max_size=60))
def test_no_text_however_odd_raises(text: str) -> None:
    rules, found = ruling.parse(text, "rules.yaml")
    assert bool(rules) != bool(found) or not rules
    assert all(fault.line >= 1 and fault.message for fault in found)
