"""The explicit table of remedies: all that may ever be done to a cluster, one module of `k8s.actions` each.

Asked by whatever needs to know something particular to an action: `kubectl` its words, `scopes` its shape, `client`
what has to be read for it, `verification` its success test. `k8s.catalogue` is the door for everyone else.
"""

from collections.abc import Mapping
from types import MappingProxyType

from k8s import model, names
from k8s.actions import (
    annotate_mute,
    cordon,
    custom,
    delete_job,
    delete_pod,
    drain,
    evict_pod,
    exec_command,
    force_delete_pod,
    remove_finalizer,
    remove_taint,
    rerun_job,
    resize_pod,
    restart_on_node,
    resume_cronjob,
    rollout_pause,
    rollout_restart,
    rollout_resume,
    rollout_undo,
    run_cronjob,
    scale,
    set_autoscaler,
    set_env,
    set_image,
    set_resources,
    suspend_cronjob,
    uncordon,
    unset_env,
)

REMEDIES: Mapping[str, model.Remedy] = MappingProxyType(
    {
        remedy.name: remedy
        for remedy in (
            rollout_restart.RolloutRestart(),
            rollout_undo.RolloutUndo(),
            delete_pod.DeletePod(),
            scale.Scale(),
            rollout_pause.RolloutPause(),
            rollout_resume.RolloutResume(),
            set_image.SetImage(),
            set_resources.SetResources(),
            resize_pod.ResizePod(),
            set_env.SetEnv(),
            unset_env.UnsetEnv(),
            evict_pod.EvictPod(),
            force_delete_pod.ForceDeletePod(),
            remove_finalizer.RemoveFinalizer(),
            set_autoscaler.SetAutoscaler(),
            suspend_cronjob.SuspendCronJob(),
            resume_cronjob.ResumeCronJob(),
            run_cronjob.RunCronJob(),
            delete_job.DeleteJob(),
            rerun_job.RerunJob(),
            cordon.Cordon(),
            uncordon.Uncordon(),
            drain.Drain(),
            remove_taint.RemoveTaint(),
            annotate_mute.AnnotateMute(),
            restart_on_node.RestartOnNode(),
            exec_command.ExecCommand(),
            custom.CustomAction(),
        )
    }
)


def remedy_for(action: model.Action) -> model.Remedy:
    return REMEDIES[model.name_of(action)]


def references(action: model.Action) -> Mapping[str, model.ResourceRef]:
    """The objects that an action names, by parameter."""
    found = {field: getattr(action, field) for field in action.__struct_fields__}
    return {field: ref for field, ref in found.items() if isinstance(ref, model.ResourceRef)}


def listed(action: model.Action) -> Mapping[str, tuple[model.ResourceRef, ...]]:
    """The lists of objects that an action names, by parameter."""
    return {field: getattr(action, field) for field in remedy_for(action).lists}


def fault(action: model.Action) -> tuple[str, str] | None:
    """The first parameter that cannot be (`workload.name`, `revision`), and why; None if all are well."""
    remedy = remedy_for(action)
    if action.workload.kind not in remedy.kinds:
        return "workload.kind", f"{action.workload.kind!r} is none of {', '.join(remedy.kinds)}"
    if found := remedy.fault(action):
        return found
    for field, ref in references(action).items():
        if found := names.fault(ref):
            return f"{field}.{found[0]}", found[1]
    return _listed_fault(action, remedy)


def _listed_fault(action: model.Action, remedy: model.Remedy) -> tuple[str, str] | None:
    for field, refs in listed(action).items():
        for ref in refs:
            if ref.kind not in remedy.lists[field]:
                return f"{field}.kind", f"{ref.kind!r} is none of {', '.join(remedy.lists[field])}"
            if found := names.fault(ref):
                return f"{field}.{found[0]}", found[1]
    return None
