"""Judges: language models that rate by the words that people rate by, and how far they may stand in for people."""

ASCENDING, DESCENDING = "ascending", "descending"  # the scale as people have it, and with its numbers turned round
DIRECTIONS = (ASCENDING, DESCENDING)
POINTS = 5
METRIC = "judge"
UNSURE = "UNSURE"  # the reason of a rating that the direction of the scale turns over
