"""Writes an action as the kubectl line that a person would type: text for people, shown and copied, never run.

Called by `k8s.catalogue` for a plan and by `bot` for a card. Quoted for a POSIX shell: it will be pasted into one.
"""

import shlex

from k8s import model, names


def argv(action: model.Action, context: str = "") -> tuple[str, ...]:
    """The words of the command. `context` is the kubeconfig context's name, left out where it is empty.

    Raises ValueError where a name of the action could not be an object's name.
    """
    refs = (action.workload, action.pod) if isinstance(action, model.DeletePod) else (action.workload,)
    for ref in refs:
        if fault := names.fault(ref):
            raise ValueError(fault[1])
    # One word (`--context=x`), so that a context that begins with a dash is no flag.
    start = ("kubectl", *((f"--context={context}",) if context else ()), "-n", action.workload.namespace)
    return (*start, *_words(action))


def _words(action: model.Action) -> tuple[str, ...]:
    match action:
        case model.RolloutRestart():
            return ("rollout", "restart", _slashed(action.workload))
        case model.RolloutUndo():
            return ("rollout", "undo", _slashed(action.workload), f"--to-revision={action.revision}")
        case model.DeletePod():
            return ("delete", _slashed(action.pod))
    return ("scale", _slashed(action.workload), f"--replicas={action.replicas}")


def _slashed(ref: model.ResourceRef) -> str:
    return f"{ref.kind.lower()}/{ref.name}"


def line(action: model.Action, context: str = "") -> str:
    """The command as one line; `shlex.split` of it gives `argv` back."""
    return shlex.join(argv(action, context))
