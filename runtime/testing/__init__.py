"""Tools for tests, ours and those of users: failing children, signal logs, stress. Never imported in production."""
