"""The claims rules: pure values and functions, the same answer for the same arguments for ever.

Purpose: what a claim is, what may happen to it, what follows. It owns no state: a claim is the fold of its
facts (`claim.evolve`), a decision is a value (`deciding.decide`), and time, ids, policies, rosters, rules
and calendars are arguments. It must never wait, read a clock, draw a random number, do I/O or log; it
imports the standard library and msgspec only.

The language:

first notice of loss    the first report of a loss (`SubmitClaim`); may be incomplete or wrong, is always
registered claimant, insured       who asks; who is covered; the reporter may be a third person line,
jurisdiction      motor, property, health, life; whose rules apply (the state of the policy) policy version
the terms in force over one span of time; the loss date chooses it item                    one coverage of a
claim; money is decided per item reserve, incurred       money set aside (indemnity, expense); paid +
outstanding reserve adjuster, approver      decides a claim; confirms what is above the proposer's limit
authority               how much a role may decide, per line and currency straight-through        approved
with no human event SIU                     special investigation unit (suspected fraud); restricted, never
told to the claimant proof of loss           every mandatory document is there (or waived with a reason)
facet                   a fact kept beside the state of the claim fact                    an event that
happened: past tense, immutable, with a sequence per claim command                 what somebody wants:
imperative; answered with `Accepted` or `Refused`, never an exception guard                   a rule that a
step must pass (G01 to G20); it answers with the sentence that refuses clock, cycle            a deadline
that runs; the how-manieth time it was started on this claim

Claimed, covered, approved net, paid, reserved, recovered are six amounts, never one field for two.
"""
