"""Images that do not come, and objects that a container or a pod waits for."""

from collections.abc import Sequence

from demo.cluster import SimulatedCluster
from evals import stories as s
from evals.values import UNDO, Case


def _registry(do: str, host: str) -> s.Piece:
    def change(cluster: SimulatedCluster) -> None:
        if do == "login":
            cluster.images.require_login(host)
        else:
            cluster.images.make_unreachable(host)

    return s.scenarios.piece(f"registry {host}", (s.HOUR, change))


def _from(registry: str, name: str, *, ago: float = 9 * s.MINUTE) -> s.Piece:
    made = s.scenarios.deployment(name, s.SPACE, f"{registry}/{name}:v1")
    return s.scenarios.running(made, ago=ago)


CONFIG = {"configMapKeyRef": {"name": "flags", "key": "mode"}}

CASES: Sequence[Case] = (
    Case(
        "tag-does-not-exist",
        "A rollout to a tag that was never pushed.",
        (s.scenarios.bad_image(),),
        "storefront",
        "ImagePull",
        "bad-image",
        cites=("v5.2.0-rc1",),
        may=UNDO | {"set-image"},
        must="rollout-undo",
        least="high",
    ),
    Case(
        "image-name-invalid",
        "An upper-case letter in the name, since the Deployment was made.",
        (
            s.scenarios.piece(
                "x", (8 * s.MINUTE, lambda c: c.apply(s.scenarios.deployment("Web".lower(), s.SPACE, "shop/Web:v1")))
            ),
        ),
        "web",
        "ImagePull",
        "bad-image",
        cites=("shop/Web:v1",),
        least="high",
    ),
    Case(
        "registry-wants-login",
        "The pull secret is missing.",
        (_registry("login", "registry.shop.example"), _from("registry.shop.example", "menu")),
        "menu",
        "ImagePull",
        "pull-secret",
        also=frozenset({"registry"}),
        cites=("registry.shop.example",),
    ),
    Case(
        "registry-unreachable",
        "The registry times out.",
        (_registry("cut", "registry.shop.example"), _from("registry.shop.example", "menu")),
        "menu",
        "ImagePull",
        "registry",
        cites=("registry.shop.example",),
    ),
    Case(
        "configmap-missing-since-rollout",
        "A rollout refers to a ConfigMap that nobody made.",
        (s.rolled_out("flagger", {"env": [{"name": "MODE", "valueFrom": CONFIG}]}),),
        "flagger",
        "ConfigError",
        "missing-object",
        cites=("flags",),
        may=UNDO,
        must="rollout-undo",
        least="high",
    ),
    Case(
        "secret-missing-from-the-start",
        "A new Deployment refers to a Secret that is not there.",
        (s.scenarios.config_error(),),
        "mailer",
        "ConfigError",
        "missing-object",
        cites=("mailer-smtp",),
        least="high",
    ),
    Case(
        "key-missing",
        "The ConfigMap is there, its key is not.",
        (s.scenarios.config_error(kind="key"),),
        "mailer",
        "ConfigError",
        "missing-object",
        cites=("SMTP_HOST",),
        least="high",
    ),
    Case(
        "volume-configmap-missing",
        "A rollout mounts a ConfigMap that nobody made.",
        (
            s.rolled_out(
                "tiles",
                {"volumeMounts": [{"name": "style", "mountPath": "/style"}]},
                pod={"volumes": [{"name": "style", "configMap": {"name": "tiles-style"}}]},
            ),
        ),
        "tiles",
        "StuckCreating",
        "missing-object",
        cites=("tiles-style",),
        may=UNDO,
        must="rollout-undo",
    ),
    Case(
        "service-account-missing",
        "A new Deployment names a ServiceAccount that is not there.",
        (s.broken("robot", s.programs.HEALTHY, pod={"serviceAccountName": "robot"}),),
        "robot",
        "ReplicasMissing",
        "missing-object",
        also=frozenset({"permission"}),
        cites=("robot",),
    ),
)
