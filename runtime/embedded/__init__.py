"""The server that comes along: a real Valkey or Redis, started, watched and stopped by this process.

Owner of one data directory, which it locks for life, and of the server process in it. It speaks to the
server only to learn that it is ready and to choose its port; clients are made by `runtime.store`. It never
starts a server from a thread other than the main one, never shares a data directory, and never leaves a
server behind.
"""
