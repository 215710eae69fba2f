"""The demonstration: a thousand claims run to their end by the real cluster, in simulated time, and every guarantee checked.

Owner of the simulated clock. It performs no step of a claim itself: adjusters and bank are played by the simulator actor.
"""
