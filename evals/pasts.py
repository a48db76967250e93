"""Pasts: what earlier sweeps had learnt of a workload, for the kinds that speak of change. Called by `evals.cases`.

Each takes the first look at the cluster of a case: a past is kept by the uids of what is there.
"""

from collections.abc import Callable
from datetime import timedelta

from k8s import containers, history, indexing, log_rates, model, objects

Past = Callable[[model.Snapshot], history.History]

_MIB = 1024.0 * 1024.0


def _newest(seen: model.Snapshot, name: str) -> tuple[history.Place, objects.Pod]:
    """The one container of the workload of this name, and its pod that was made last."""
    index = indexing.Index(seen)
    pods = [pod for pod in seen.pods if index.top_owner("Pod", pod.metadata).name == name]
    pod = max(pods, key=lambda each: each.metadata.creation_timestamp or "")
    owner, container = index.top_owner("Pod", pod.metadata), next(containers.of(pod)).name
    return history.Place(owner.kind, owner.namespace, owner.name, owner.uid, container), pod


def restarted(name: str, times: int, *, usual_per_day: float = 0.5) -> Past:
    """So many restarts in the last fifty minutes."""

    def past(seen: model.Snapshot) -> history.History:
        place, pod = _newest(seen, name)
        uid, now = pod.metadata.uid, seen.taken_at
        every = timedelta(minutes=50) / times
        recent = tuple(history.Restart(now - every * number, uid, 1) for number in reversed(range(times)))
        state = history.Restarts({uid: times}, usual=usual_per_day * 4, hours=96.0, recent=recent, at=now)
        return history.History(restarts={place: state}, kept=True)

    return past


def grew(name: str, mebibytes: float, *, to: float, an_hour: float) -> Past:
    """Four hours of samples that end at the share `to` of the limit and rise by so much of it an hour."""

    def past(seen: model.Snapshot) -> history.History:
        place, pod = _newest(seen, name)
        samples = tuple(
            history.Sample(int((seen.taken_at - timedelta(minutes=ago)).timestamp()), to - an_hour * ago / 60)
            for ago in range(240, 0, -5)
        )
        state = history.Memory(mebibytes * _MIB, pod.metadata.name, pod.metadata.uid, samples)
        return history.History(memory={place: state}, kept=True)

    return past


def logged(name: str, line: str, times: int = 30, *, usual: float = 0.0) -> Past:
    """So many lines alike in the last five minutes, after ten hours with `usual` of them in all."""

    def past(seen: model.Snapshot) -> history.History:
        place, pod = _newest(seen, name)
        alike = history.Template(usual, times, line)
        state = history.Logs(
            {line: alike, log_rates.ALL: alike}, 600.0, 5.0, seen.taken_at, 120, pod.metadata.name, pod.metadata.uid
        )
        return history.History(logs={place: state}, kept=True)

    return past
