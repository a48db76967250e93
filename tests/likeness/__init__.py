"""How like a real cluster the simulated one is, and what a real one answers.

`cases` is the table of situations; each is built on a ground (tests/grounds) and says when it is settled. On a real
cluster `python -m tests.likeness record [case …] --kubeconfig P` writes what its API server gave to `recorded/`:
the fixtures of tests/k8s/detectors/test_recorded.py, and what test_likeness.py holds the simulated cluster to, case by
case, through the normalised view of `views`. With `--kubeconfig` pytest shows that the recordings are still true.
"""
