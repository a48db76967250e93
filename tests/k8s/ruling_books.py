"""Policies as hypothesis draws them: few names, so that rules often meet what is done."""

from datetime import timedelta

from hypothesis import strategies as st

from k8s import policy

CLUSTERS = ("prod-eu", "prod-us", "dev")
NAMESPACES = ("payments", "web", "kube-system")
ACTIONS = ("rollout-restart", "rollout-undo", "delete-pod", "scale")
KINDS = ("Deployment", "StatefulSet", "Pod")
USERS = ("U1", "U2", "U3")


def _some(*names: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(names), max_size=2).map(tuple)


clusters = _some(*CLUSTERS, "prod-*", "*")
namespaces = _some(*NAMESPACES, "p*", "*")
actions = _some(*ACTIONS, "rollout-*", "*")
labels = _some("app=api", "app", "!app", "app!=api", "team=db")
places = st.builds(policy.Places, clusters=clusters, namespaces=namespaces)


def rules(effect: policy.Effect) -> st.SearchStrategy[policy.Rule]:
    return st.builds(
        policy.Rule,
        effect=st.just(effect),
        name=st.sampled_from(("a", "b", "c")),
        actions=actions,
        kinds=_some(*KINDS),
        labels=labels,
        clusters=clusters,
        namespaces=namespaces,
        source=st.sampled_from(("p.yaml:1", "p.yaml:9")),
    )


denials, allowances = rules("deny"), rules("allow")
rulesets = st.builds(
    policy.Ruleset,
    rules=st.lists(denials | allowances, max_size=4).map(tuple),
    default=st.sampled_from(("ask", "deny")),
    source=st.just("p.yaml"),
)
approvers = st.builds(
    policy.Approvers,
    users=_some(*USERS, "*"),
    groups=_some("S1", "S2"),
    channels=_some("C1"),
)
tiers = st.builds(
    policy.Tier,
    approvers=st.lists(approvers, max_size=2).map(tuple),
    approvals=st.integers(1, 3),
    self_approval=st.booleans(),
    reason_required=st.booleans(),
)
freezes = st.builds(
    policy.Freeze,
    name=st.sampled_from(("night", "xmas")),
    cron=st.sampled_from(("", "0 2 * * *")),
    duration=st.sampled_from((timedelta(hours=1), timedelta(hours=3))),
    tiers=_some("low", "medium", "high"),
    actions=actions,
    stops_undo=st.booleans(),
)
stances = st.sampled_from(("warn", "advise", "refuse"))
policies = st.builds(
    policy.Policy,
    read_only=st.booleans(),
    approvers=_some(*USERS, "*"),
    protected_namespaces=namespaces,
    cooldown=st.sampled_from((timedelta(0), timedelta(minutes=5))),
    hourly_limit=st.integers(0, 6),
    cluster_hourly_limit=st.integers(0, 30),
    max_replicas=st.integers(0, 60),
    max_scale_factor=st.sampled_from((1.0, 4.0)),
    tiers=st.builds(policy.Tiers, low=tiers, medium=tiers, high=tiers),
    rulesets=st.lists(rulesets, max_size=2).map(tuple),
    production=st.lists(places, max_size=2).map(tuple),
    freezes=st.lists(freezes, max_size=2).map(tuple),
    gitops=st.builds(policy.Gitops, argocd=stances, flux=stances, helm=stances),
    autonomous=st.builds(
        policy.Autonomous,
        enabled=st.booleans(),
        listed=st.lists(actions, max_size=2).map(tuple),
        helped=st.integers(1, 4),
        delay=st.sampled_from((timedelta(seconds=30), timedelta(minutes=2))),
        per_workload_hour=st.integers(0, 3),
        per_cluster_hour=st.integers(0, 5),
        breaker=st.integers(1, 3),
    ),
)
members = st.dictionaries(st.sampled_from(("S1", "S2", "C1")), st.frozensets(st.sampled_from(USERS)))
