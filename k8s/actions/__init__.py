"""The remedies, one module each: what exactly would be written, what it touches, how bad it can get, how to go back.

All pure, all of the shape `model.Remedy`. They do not know each other; `k8s.catalogue` is the table of them.
"""
