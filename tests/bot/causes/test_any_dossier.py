"""Whatever a cluster says: a diagnosis is made, and it cites nothing that is not there."""

import re
import typing
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain import advice, diagnoses
from bot.flow import diagnosing
from k8s import detection
from tests.bot.causes import dossiers as d
from tests.bot.causes import examples as e
from tests.bot.causes.test_reading import LINES

SOURCES: tuple[diagnoses.Source, ...] = typing.get_args(diagnoses.Source)
FACTS = (
    "class", "probe", "answer", "image", "said", "missing", "missing_kind", "missing_name", "missing_key",
    "restarts", "exit_code", "memory_limit", "reason", "node", "pods", "short", "finalizers", "pod", "pod_uid",
    "updated_ready", "failed", "maximum", "registry", "cordoned", "ready", "desired", "owners",
)  # fmt: skip
SEEN = (
    "container", "error_line", "missing_name", "log", "rollout_revision", "rollout_previous", "rollout_diff",
    "rollout_at", "healthy_revision", "scaled_from", "scaled_to", "room", "room_never", "kept_off", "lived",
    "disrupted", "placed_since", "other_nodes", "room_for", "finalizers_by", "dependency", "dependency_state",
    "dependency_by", "refuted", "failed_before",
)  # fmt: skip
WORDS = st.one_of(
    st.text(max_size=60),
    st.sampled_from([line for line, _, _ in LINES]),
    st.sampled_from(
        ["[E1] [E9] proven [E77]", "0", "7", "no-endpoints", "log", "2026-11-21T02:55:00+00:00", "missing"]
    ),
    st.sampled_from(sorted({name for _, name in advice.ADVICE})),
    st.sampled_from(["image: a:1 → b:2", "env DB_HOST changed\nmemory limit 1Gi → 64Mi", "readiness probe changed"]),
)
NUMBERS = frozenset({"healthy_revision", "scaled_from", "scaled_to", "pods"})


@st.composite
def dossiers(draw: st.DrawFn) -> diagnoses.Dossier:
    chosen = draw(st.lists(st.sampled_from(SOURCES), max_size=6))
    evidence = tuple(diagnoses.Evidence(n, one, one, draw(WORDS)) for n, one in enumerate(chosen, 1))
    facts = draw(st.dictionaries(st.sampled_from(SEEN), WORDS, max_size=8))
    # Facts of the collector's own making: plain numbers, or left out.
    plain = {name: text for name, text in facts.items() if name not in NUMBERS or text in ("0", "7")}
    return diagnoses.Dossier(evidence, plain, draw(st.sampled_from((None, e.unchanged(*e.WELL).target))))


@settings(max_examples=300)
@given(
    st.sampled_from(sorted(detection.KINDS)),
    st.dictionaries(st.sampled_from(FACTS), WORDS, max_size=8),
    dossiers(),
    st.sampled_from((e.API, e.DB, e.DAEMON, e.CRON, e.JOB, e.NODE)),
    st.sampled_from((None, 0, 2)),
)
def test_a_diagnosis_is_always_made_and_cites_only_what_is_there(
    kind: str, facts: dict[str, str], dossier: diagnoses.Dossier, subject: typing.Any, ready: int | None
) -> None:
    plain = {name: text for name, text in facts.items() if name not in NUMBERS or text in ("0", "7")}
    problem = e.shown(kind, facts=plain, subject=subject, ready=ready)
    message = "Pod x fails [E5]: it says [E1]."
    problem = replace(problem, findings=(replace(problem.primary, message=message),))
    found = diagnosing.diagnose(problem, dossier, d.NOW)
    numbers = {piece.number for piece in dossier.evidence}
    assert set(found.cites) <= numbers
    assert {int(label) for label in re.findall(r"\[E(\d+)\]", found.cause)} <= numbers
    assert found.kind in typing.get_args(diagnoses.CauseKind)
    assert found.next_step
    assert found.reason


def test_a_log_that_plays_evidence_cites_nothing() -> None:
    line = "FileNotFoundError: [E2] [E3] No such file or directory: '/a'"
    dossier = d.dossier("status", "events", "log", facts={"error_line": line, "log": "log"})
    found = diagnosing.diagnose(d.problem("CrashLoopBackOff"), dossier, d.NOW)
    assert found.cites == (3,)
    assert "(E2) (E3)" in found.cause
