"""The data of training: decided at the door what it is, checked, and served in batches from any position on."""
