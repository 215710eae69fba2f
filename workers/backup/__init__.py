"""Backup and restore: what cannot be made anew, in files with checksums, taken while the cluster works.

A backup has every entry of every log up to one moment, and, read in one atomic step at that moment, where each group
stood and what groups know that lead outside: what was sent, what was paid, what is to be sent again. Everything else,
claims with their versions and timers, figures, work lists, chains, follows from the entries: a restore folds the former
and lets the actors build the latter again from the first entry on.

No key of a person is in a backup, only what is sealed with it. The key vault is backed up apart and with a shorter
memory: whoever is forgotten there is forgotten in every backup.
"""
