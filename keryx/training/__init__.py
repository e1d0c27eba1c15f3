"""Training: what compile resolves, the state, the step, the feed of data and the loop."""
