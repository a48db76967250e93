"""A real Kubernetes for the tests, on a machine that has neither Docker nor a cluster: `python -m tests.cluster up`.

One etcd, one API server, one controller manager, one scheduler and one kubelet, built from the sources that go.mod
beside this file pins, with the machine's (or Debian's) containerd. Everything is kept in one folder, listens on this
machine only, and is ended by `python -m tests.cluster down`. `cluster.py` is the page to read first.
"""
