"""Controllers that do not get on: stuck rollouts, the API server's refusals, StatefulSets."""

from dataclasses import replace

from bot.flow import diagnosing
from k8s import model
from tests.bot.causes import dossiers as d


def test_a_stuck_rollout_is_undone_and_names_its_change() -> None:
    found = diagnosing.diagnose(
        d.problem("RolloutStuck", ready=3),
        d.dossier("status", "rollout", facts=d.rolled_out("readiness probe changed")),
        d.NOW,
    )
    assert d.actions(found) == [model.RolloutUndo(d.API, 3)]
    assert "readiness probe changed [E2]" in found.cause


QUOTA = 'pods "api-5d-x" is forbidden: exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1'


def test_why_pods_cannot_be_created_is_told_in_the_servers_words() -> None:
    found = diagnosing.diagnose(d.problem("ReplicasMissing", facts={"said": QUOTA}), d.dossier("events"), d.NOW)
    assert f'refuses its pods: "{QUOTA}" [E1].' in found.cause
    assert found.confidence == "high"


def test_a_rollout_that_is_stuck_for_want_of_pods_tells_why_they_cannot_be_created() -> None:
    stuck, missing = d.problem("RolloutStuck"), d.problem("ReplicasMissing", facts={"said": QUOTA})
    both = replace(stuck, findings=(*stuck.findings, *missing.findings))
    found = diagnosing.diagnose(both, d.dossier("status"), d.NOW)
    assert "shows RolloutStuck" in found.cause
    assert "exceeded quota: few" in found.cause
    assert (found.confidence, d.actions(found)) == ("high", [])
    assert "quota" in found.next_step


def test_a_pod_that_its_controller_never_replaces_may_be_deleted() -> None:
    subject = model.ResourceRef("StatefulSet", "payments", "db", "uid-db")
    facts = {"class": "outdated-pod", "pod": "db-2", "pod_uid": "uid-db-2"}
    found = diagnosing.diagnose(d.problem("StatefulSetStuck", subject=subject, facts=facts), d.dossier("status"), d.NOW)
    assert d.actions(found) == [model.DeletePod(model.ResourceRef("Pod", "payments", "db-2", "uid-db-2"), subject)]
    for kind in ("order", "update", "service", "storage-class"):
        shown = d.problem("StatefulSetStuck", subject=subject, facts=facts | {"class": kind})
        assert d.actions(diagnosing.diagnose(shown, d.dossier("status"), d.NOW)) == []
