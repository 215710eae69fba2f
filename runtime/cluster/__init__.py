"""Which process serves which partition: for liveness only, safety comes from the position."""
