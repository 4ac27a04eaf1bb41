"""How services that cost something are asked: a rate limit, attempts, time-outs, and a key that shows nowhere."""
