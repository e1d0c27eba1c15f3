"""What is odd about a model, in words: `view` is what is looked at, the others hold the rules."""
