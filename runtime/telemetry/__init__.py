"""What the runtime tells the world about itself: metrics, log lines, health and the status endpoint.

Everything here is a subscriber of the `Bus` or is fed with samples; it owns figures only and never decides
for the runtime. It must never touch the store, never carry a payload (ids only) and never cost more than a
few microseconds for each settled batch.
"""
