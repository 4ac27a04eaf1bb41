"""Running lm-evaluation-harness in this process: task files, loading, evaluation, items.

`task_files` and `items` import nothing of the harness; `evaluation` is the only module that does.
"""
