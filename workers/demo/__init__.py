"""The demonstration: a thousand claims run to their end by the real cluster, and every guarantee is checked.

Owner of the simulated clock. It performs no step of a claim: adjusters and bank are played by the simulator actor.
"""
