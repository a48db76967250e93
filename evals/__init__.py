"""Evals: failures as Kubernetes really shows them, each with its true cause, and how often a diagnosis finds it.

`make eval` (`python -m evals`) runs the rules over all cases of `evals.cases`, `--model` a model beside them. A case is
a small simulated cluster; what is judged went the way of an incident: a look, detection, the evidence, the diagnosis.
"""
