"""Writes an action as the kubectl line that a person would type: text for people, shown and copied, never run.

Called by `k8s.catalogue` for a plan and by `bot` for a card. Quoted for a POSIX shell: it will be pasted into one.
"""

import shlex

from k8s import model, names, remedies


def argv(action: model.Action, context: str = "", *, created: str = "") -> tuple[str, ...]:
    """The words of the command. `context` is the kubeconfig context's name, left out where it is empty; `created` is
    the name of what the action creates.

    Raises ValueError where a name of the action could not be an object's name.
    """
    for ref in remedies.references(action).values():
        if fault := names.fault(ref):
            raise ValueError(fault[1])
    # One word (`--context=x`), so that a context that begins with a dash is no flag.
    start = ("kubectl", *((f"--context={context}",) if context else ()))
    namespace = ("-n", action.workload.namespace) if action.workload.namespace else ()
    words = remedies.remedy_for(action).words(action)
    return (*start, *namespace, *(word.replace(names.NEW, created) if created else word for word in words))


def line(action: model.Action, context: str = "", *, created: str = "") -> str:
    """The command as one line; `shlex.split` of it gives `argv` back."""
    return shlex.join(argv(action, context, created=created))
