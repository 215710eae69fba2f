"""A bank of our own, as a process over HTTP: for the laptop, for tests, for trying how a bank may misbehave.

Owner of its own state (SQLite); it imports nothing of the cluster, and the cluster nothing of it. It pays an
idempotency key once, whatever it is told to do wrong, and one payment id once: what leaves it can be counted.
"""
