"""The families of failure kinds, one module each; `k8s.detection` holds the explicit table of them.

A family is a module that is a `model.Detector`: `kinds`, `reads`, `detect(snapshot, index)`; its `KINDS` are the
defaults of each kind. Families are pure and do not know each other; what two of them need is in `k8s.symptoms`.
"""
