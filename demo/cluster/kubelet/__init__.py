"""The node agents: pods are started, probed, restarted and stopped, with the states and words of a real kubelet."""
