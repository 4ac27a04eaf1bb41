"""What curate looks for in a dataset, and what it measures in one."""
