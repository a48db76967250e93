"""The only part that talks to API servers, and the only importer of the official client.

`connection` opens the way, `reader` reads, `writer` writes (for `k8s.executor` alone), `errors` is what can go wrong.
"""
