"""Cards in the hub's form: of a tuned checkpoint, and of the datasets."""
