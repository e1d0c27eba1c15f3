"""What a model costs: operations, bytes, time and memory, of each layer and of a whole step."""
