"""Which process serves which partition. For liveness only: safety comes from the position (see `runtime.store`)."""
