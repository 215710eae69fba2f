"""Tools for tests, ours and those of users: failpoints, failing children, faulty links. Never imported in production."""
