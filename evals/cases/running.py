"""What runs and does not serve: probes, rollouts, Jobs and CronJobs."""

from collections.abc import Sequence

from demo.cluster import SimulatedCluster, workloads
from demo.cluster.objects import Object
from evals import stories as s
from evals.values import UNDO, Case

REFUSED = 'Get "http://10.244.1.7:8080/healthz": dial tcp 10.244.1.7:8080: connect: connection refused'
RESTART = frozenset({"rollout-restart"})


def _cron(**spec: object) -> s.Piece:
    made = s.scenarios.cron_job("rollup", s.SPACE, s.image("rollup"), schedule="*/10 * * * *")
    made["spec"] |= spec
    return s.put(made, ago=s.DAY)


def _job(name: str, program: s.Program, *, ago: float = 20 * s.MINUTE, **spec: object) -> s.Piece:
    made = s.scenarios.job(name, s.SPACE, s.image(name), backoff_limit=1)
    made["spec"] |= spec
    return s.scenarios.running(made, program=program, ago=ago)


def _failed_runs(cluster: SimulatedCluster) -> None:
    found = cluster.get("cronjobs", "rollup", s.SPACE)
    owner: Object = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "rollup", "uid": found["metadata"]["uid"]}
    cluster.images.publish(f"{s.SPACE}/rollup", "v1", program=s.dies("ValueError: column 'day' is null"))
    for number in range(4):
        cluster.apply(
            s.scenarios.job(f"rollup-{number}", s.SPACE, s.image("rollup"), owner=owner | {"controller": True})
        )
    cluster.patch_status("cronjobs", "rollup", s.SPACE, {"lastScheduleTime": cluster.timestamp()})


CASES: Sequence[Case] = (
    Case(
        "rollout-moved-the-port",
        "A release listens on 9090; probe and Service still ask 8080.",
        (
            s.rolled_out(
                "rates",
                {"image": s.image("rates", "v2")},
                after=s.unready("INFO listening on :9090", error=REFUSED, listens=False),
                readiness=True,
                progress_deadline=120,
            ),
        ),
        "rates",
        "NotReady",
        "wrong-port",
        cites=("9090", "8080"),
        may=UNDO,
        must="rollout-undo",
    ),
    Case(
        "wrong-port-from-the-start",
        "A new Deployment whose process listens on 3000; its probe asks 8080.",
        (s.broken("hello", s.unready("Server listening on port 3000", error=REFUSED, listens=False), readiness=True),),
        "hello",
        "NotReady",
        "wrong-port",
        cites=("3000",),
    ),
    Case(
        "probe-path-is-gone",
        "A release asks its probe at a path that it does not serve.",
        (
            s.rolled_out(
                "docs",
                {"readinessProbe": workloads.probe("/ready"), "image": s.image("docs", "v2")},
                after=s.unready("INFO listening on :8080", error="HTTP probe failed with statuscode: 404"),
                readiness=True,
                progress_deadline=120,
            ),
        ),
        "docs",
        "NotReady",
        "bad-probe",
        also=frozenset({"bad-rollout"}),
        cites=("404",),
        may=UNDO,
        must="rollout-undo",
    ),
    Case(
        "unready-for-a-dependency",
        "All replicas answer 503, since what they need is away.",
        (
            s.away("catalog", port=8080),
            s.broken(
                "pages",
                s.unready(
                    "INFO listening on :8080",
                    'ERROR GET /healthz 503: Get "http://catalog.shop.svc:8080/v1": dial tcp 10.96.8.8:8080: connect: connection refused',
                    error="HTTP probe failed with statuscode: 503",
                ),
                readiness=True,
            ),
        ),
        "pages",
        "NotReady",
        "dependency-down",
        cites=("catalog",),
    ),
    Case(
        "unready-and-nothing-is-known",
        "All replicas answer 503, and their log is silent.",
        (s.broken("vague", s.unready("starting up", error="HTTP probe failed with statuscode: 503"), readiness=True),),
        "vague",
        "NotReady",
        "application",
        also=frozenset({"unknown"}),
        may=RESTART,
        most="low",
    ),
    Case(
        "liveness-hang",
        "The process hangs after a while and is restarted by its probe.",
        (s.scenarios.liveness_failing(),),
        "gateway",
        "LivenessRestarts",
        "application",
        also=frozenset({"bad-probe"}),
        cites=("context deadline exceeded",),
        most="medium",
    ),
    Case(
        "rollout-never-ready",
        "A release does not become ready; its log does not say why.",
        (s.scenarios.rollout_stuck(),),
        "checkout",
        "NotReady",
        "bad-rollout",
        also=frozenset({"dependency-down"}),
        cites=("v8.1.0",),
        may=UNDO,
        must="rollout-undo",
    ),
    Case(
        "job-access-denied",
        "An export may not write its bucket.",
        (s.scenarios.job_failed(),),
        "ledger-export",
        "JobFailed",
        "permission",
        cites=("AccessDenied",),
    ),
    Case(
        "job-ran-out-of-time",
        "A Job was stopped by its deadline.",
        (_job("vacuum", s.programs.HEALTHY, activeDeadlineSeconds=300),),
        "vacuum",
        "JobFailed",
        "deadline",
        least="medium",
    ),
    Case(
        "cronjob-zone",
        "A time zone that does not exist.",
        (
            _cron(timeZone="Europe/Munich"),
            s.told(
                "cronjobs",
                "rollup",
                "UnknownTimeZone",
                "invalid timeZone: Europe/Munich: unknown time zone Europe/Munich",
                "cronjob-controller",
            ),
        ),
        "rollup",
        "CronJobBroken",
        "schedule",
        cites=("Europe/Munich",),
        least="high",
    ),
    Case(
        "cronjob-runs-fail",
        "The runs of a CronJob fail by themselves.",
        (_cron(), s.scenarios.piece("runs", (30 * s.MINUTE, _failed_runs))),
        "rollup",
        "CronJobBroken",
        "application",
        also=frozenset({"unknown"}),
        most="medium",
    ),
)
