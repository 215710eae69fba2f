"""The store side of the runtime: the two atomic steps, and what reads and heals around them.

Owner of all state in Redis that the engine itself keeps. It never decides what an effect means and knows nothing of
supervision. Nothing here writes but through the functions in `lua/`.
"""
