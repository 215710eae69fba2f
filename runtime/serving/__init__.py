"""Serves one (group, partition): read, decode, handle, merge, settle; and what happens when one of these fails."""
