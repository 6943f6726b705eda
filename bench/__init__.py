"""Measures the hot path from outside: sockets in, sockets out, with an embedded stack or a peer pinned to cores.

Promises: checks what it measures (lost, doubled, out of order, wrong seq make a run fail) and says when the generator
was the limit. Does not promise comparable figures between machines.
"""
