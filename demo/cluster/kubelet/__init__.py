"""The node agents: pods are started, watched, restarted and stopped, with the states and sentences of a real kubelet."""
