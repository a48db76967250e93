"""Decoys: failures whose obvious cause is not the true one, and whose obvious remedy would do harm or nothing."""

from collections.abc import Sequence

from demo.cluster import Piece, SimulatedCluster
from evals import stories as s
from evals.cases import crashing
from evals.values import Case, Earlier

RATE_LIMIT = (
    'failed to pull and unpack image "docker.io/library/redis:8.2": failed to copy: httpReadSeeker: failed open: unexpected status '
    "code https://registry-1.docker.io/v2/library/redis/manifests/sha256:1f: 429 Too Many Requests - Server message: toomanyrequests: "
    "You have reached your unauthenticated pull rate limit."
)


def _limited(name: str) -> Piece:
    """A rollout of a new tag of a public image, whose registry limits pulls."""
    made = s.scenarios.deployment(name, s.SPACE, "redis:8.0")

    def build(cluster: SimulatedCluster) -> None:
        cluster.images.publish("redis", "8.0")
        cluster.apply(made)

    def roll(cluster: SimulatedCluster) -> None:
        cluster.images.refuse("docker.io", RATE_LIMIT)
        spec = {"containers": [{"name": name, "image": "redis:8.2"}]}
        cluster.patch("deployments", name, s.SPACE, {"spec": {"template": {"spec": spec}}})

    return s.scenarios.piece(name, (2 * s.DAY, build), (9 * s.MINUTE, roll))


SIDECAR = s.scenarios.container("agent", "shop/agent:v1", memory_limit="64Mi")

CASES: Sequence[Case] = (
    Case(
        "decoy-crash-loop-is-liveness",
        "It looks like a crash (exit 137, CrashLoopBackOff): the kubelet kills a slow start by its liveness probe.",
        (
            s.broken(
                "slow",
                s.unready("INFO warming up 1 of 9", error="HTTP probe failed with statuscode: 503"),
                liveness=True,
            ),
        ),
        "slow",
        "CrashLoopBackOff",
        "bad-probe",
        also=frozenset({"application"}),
        cites=("liveness",),
        tag="decoy",
        most="medium",
    ),
    Case(
        "decoy-sidecar-is-killed",
        "The main container is well; the agent beside it is killed at its own limit.",
        (
            Piece(
                "agent",
                (
                    *s.scenarios.piece(
                        "image",
                        (21 * s.MINUTE, lambda c: c.images.publish("shop/agent", "v1", program=s.eats(15.0, "tail"))),
                    ).steps,
                    *s.well("kiosk", ago=20 * s.MINUTE, memory_limit="1Gi", beside=SIDECAR).steps,
                ),
            ),
        ),
        "kiosk",
        "OOMKilled",
        "limit-too-low",
        also=frozenset({"leak"}),
        cites=("agent", "64Mi"),
        may=frozenset({"set-resources"}),
        tag="decoy",
    ),
    Case(
        "decoy-dependency-down-though-a-variable-changed",
        "LOG_LEVEL was changed minutes before; what fails is the database, which somebody scaled to nothing.",
        (
            s.away("db", port=5432, ago=11 * s.MINUTE),
            s.rolled_out(
                "wallet",
                {"env": s.variables(LOG_LEVEL="debug")},
                env={"DB_HOST": "db", "LOG_LEVEL": "info"},
                before=s.unless(
                    "LOG_LEVEL",
                    "info",
                    s.dies(
                        *crashing.TRACE,
                        'psycopg2.OperationalError: connection to server at "db" (10.96.12.7), port 5432 failed: Connection refused',
                    ),
                ),
            ),
        ),
        "wallet",
        "CrashLoopBackOff",
        "dependency-down",
        cites=("5432",),
        tag="decoy",
    ),
    Case(
        "decoy-rate-limit-looks-like-a-bad-tag",
        "The tag of a rollout exists; the registry limits pulls. An undo does not raise the limit.",
        (_limited("cache"),),
        "cache",
        "ImagePull",
        "registry",
        cites=("rate",),
        tag="decoy",
    ),
    Case(
        "decoy-key-error-is-no-variable",
        "KeyError in upper case, but of a dictionary of currencies: no variable is missing.",
        (s.broke("invoice", s.dies(*crashing.TRACE, '    rate = rates[order["currency"]]', "KeyError: 'CHF'")),),
        "invoice",
        "CrashLoopBackOff",
        "application",
        cites=("CHF",),
        tag="decoy",
        most="medium",
    ),
    Case(
        "decoy-warning-of-a-cache-is-not-the-end",
        "It warns that its optional cache refuses connections, goes on, and ends for a file that is missing.",
        (
            s.broken(
                "quotes",
                s.dies(
                    "WARN redis at cache:6379: connection refused, going on without a cache",
                    "INFO loading templates",
                    *crashing.TRACE,
                    "FileNotFoundError: [Errno 2] No such file or directory: '/templates/quote.html'",
                ),
            ),
        ),
        "quotes",
        "CrashLoopBackOff",
        "missing-file",
        cites=("/templates/quote.html",),
        tag="decoy",
    ),
    Case(
        "decoy-quota-not-capacity",
        "Pods are missing and the nodes have room: the quota refuses them.",
        (s.scenarios.quota_exceeded("encoder", "video"),),
        "compute",
        "QuotaExhausted",
        "quota",
        cites=("compute",),
        tag="decoy",
        least="high",
    ),
    Case(
        "decoy-rollout-days-ago",
        "The last rollout was days ago; what began a quarter of an hour ago is not its doing.",
        (
            s.rolled_out(
                "offers",
                {"image": s.image("offers", "v2")},
                after=s.served_until(14 * s.MINUTE, s.dies("FATAL: cache file is corrupt"), built=1.5 * s.DAY),
                ago=1.5 * s.DAY,
                replicas=1,
            ),
        ),
        "offers",
        "CrashLoopBackOff",
        "application",
        also=frozenset({"storage"}),
        cites=("corrupt",),
        tag="decoy",
        most="medium",
    ),
    Case(
        "decoy-raised-limit-is-no-suspect",
        "Someone raised the limit minutes ago, and it is still killed: the raise is not the cause.",
        (
            s.rolled_out(
                "ocr",
                {"resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "384Mi"}}},
                before=s.eats(25.0, "INFO loading model"),
                memory_limit="256Mi",
                ago=10 * s.MINUTE,
            ),
        ),
        "ocr",
        "OOMKilled",
        "limit-too-low",
        also=frozenset({"leak"}),
        cites=("384Mi",),
        tag="decoy",
    ),
    Case(
        "decoy-healthy-dependency-named-in-the-log",
        "The log names the database at the start, all is well with it; what ends the process is its own check.",
        (
            s.well("db", port=5432),
            s.broken(
                "import",
                s.dies(
                    "INFO connected to db:5432", "INFO reading batch 9", "ValueError: row 88 has 4 columns, 5 expected"
                ),
                env={"DB_HOST": "db"},
            ),
        ),
        "import",
        "CrashLoopBackOff",
        "application",
        cites=("row 88",),
        tag="decoy",
        most="medium",
    ),
    Case(
        "decoy-one-bad-node",
        "One pod of four cannot reach the network; all others, of the same template, are well.",
        (s.one_of_many("edge", s.dies("dial tcp 10.96.0.1:443: connect: no route to host")),),
        "edge",
        "CrashLoopBackOff",
        "network",
        also=frozenset({"node", "dependency-down"}),
        cites=("no route to host",),
        may=frozenset({"delete-pod"}),
        tag="decoy",
    ),
    Case(
        "decoy-undo-into-nothing",
        "The first revision crash-looped for two days, too, and it has no readiness probe: there is nothing to go back to.",
        (
            s.rolled_out(
                "fresh",
                {"image": s.image("fresh", "v2")},
                before=s.dies("Error: Missing required environment variable: TENANT"),
                after=s.dies("Error: Missing required environment variable: TENANT"),
            ),
        ),
        "fresh",
        "CrashLoopBackOff",
        "missing-variable",
        cites=("TENANT",),
        tag="decoy",
    ),
    Case(
        "decoy-undo-into-what-failed-for-days",
        "A fix was rolled out three hours ago and fails with a new error. What it replaced had crashed for days: the cluster has "
        "forgotten that, and only our record knows.",
        (
            s.rolled_out(
                "claims",
                {"image": s.image("claims", "v2")},
                before=s.dies("panic: runtime error: index out of range [3] with length 3", code=2),
                after=s.dies("panic: assignment to entry in nil map", code=2),
                ago=3 * s.HOUR,
            ),
        ),
        "claims",
        "CrashLoopBackOff",
        "application",
        cites=("nil map",),
        record=(Earlier(("CrashLoopBackOff",), 47.5, 2.9), Earlier(("CrashLoopBackOff",), 2.9)),
        tag="decoy",
        most="medium",
    ),
)
