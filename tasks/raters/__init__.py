"""Ratings by people and by judge models: how far those who rated agree."""
