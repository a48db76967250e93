"""Where the simulated cluster differs from a real one on purpose, or as the two clusters are set up. For test_likeness.

Each entry says why. One that no case shows any more fails the test: it has to go.
"""

from collections.abc import Mapping

from tests.likeness.comparing import Meant

LEFT_OUT: Mapping[str, str] = {
    "cron-jobs": "schedules go by the clock on the wall, and the simulation has no controller that waits for it",
}
"""Cases that only a real cluster can play."""

_MACHINE = r"annotations.*|labels/.*|spec.*|status/(allocatable|capacity|daemonEndpoints|nodeInfo)/.*"

MEANT: tuple[Meant, ...] = (
    Meant(
        ".*",
        r"(pods|answers)/.*/imageID",
        "the recorded cluster was given its images, so they have no digest of a registry",
    ),
    Meant(
        "nodes",
        rf"nodes/[^/]*/(metadata/)?({_MACHINE})",
        "another machine, as another provider sets it up",
    ),
    Meant(
        "refusals",
        r"answers/immutable-job/(message|details/causes/0/message)",
        "a real server prints the whole template under the names of the fields in its Go source",
    ),
    Meant(
        "forbidden",
        r"answers/may-list/status/reason",
        "the bot is a plain user here, and there a service account",
    ),
    Meant(
        "dry-runs",
        r"answers/delete/spec/containers/app/command/\d",
        "an image has its program built in here, a real container is told by its command",
    ),
)

RACING: tuple[Meant, ...] = (
    Meant(
        "crash-loop-running",
        r"(deployments|replicasets)/[^/]*/status/.*",
        "whether the controllers have counted a pod that runs for a moment is a race, on every cluster",
    ),
    Meant(
        "crash-loop",
        r"deployments/[^/]*/status/conditions/Progressing/(reason|message)",
        "the same of a container without a probe, which is ready for as long as it runs: all of them at once, or never",
    ),
    Meant(
        "volume-missing",
        r"events/Warning FailedMount by kubelet on Pod/.*: Unable to attach or mount volumes: .*",
        "a kubelet says it like this as well once it has waited for two minutes, which a slow machine may have",
    ),
)
"""What may be either way from one run to the next, on the simulated cluster as on a real one."""

ELSEWHERE: tuple[Meant, ...] = (
    Meant("nodes", ".*", "other machines"),
    Meant(".*", r".*/imageID", "where an image came from is a matter of how the cluster was given it"),
)
"""What may tell another real cluster from the one that was recorded."""
