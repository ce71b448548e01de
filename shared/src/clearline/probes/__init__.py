"""Connection kinds: what their forms ask, where they dial, and the ladder that proves them."""
