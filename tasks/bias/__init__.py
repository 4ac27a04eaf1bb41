"""From completions about groups to the words that favour one, and their sentiment."""
