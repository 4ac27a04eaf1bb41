"""What the page of `tasks.report` is made of: readings of the tables, words, figures, and the template."""
