"""Where the claims domain and the runtime meet: actors, their adapters, the composition root, the command line."""
