"""The bodies of facts, a file per part of a claim's life. They are data only: no rule lives here.

What happened is the envelope's (`events.Fact`): type, claim, time, sequence, actor. On the wire the names
are camelCase. Values that are sealed (description, exact place, notes, names, accounts) are opaque strings
to the domain.
"""
