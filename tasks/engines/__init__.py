"""Generation backends, one module each."""
