"""Statistics by kind of question; the unit is the prompt (or the item), never the sample or the rating.

One file each: `paired` (two arms on the same prompts), `crossed` (several seeds or raters), `effects`
(sizes), `families` (multiplicity), `trend` (size), `anova` (arm x size), `noninferiority` and `capability` (no
loss on items), `agreement` (raters), `logodds` and `divergence` (words), `power` and `variance` (what could
be detected),
`sensitivity` (by other means), `seedstyle` (the published analysis, for comparison), `missing`. `cells` turns the
long table of scores into arrays, `contrasts` into the main table; `check` repeats the simulations, and `degenerate`
has the input that leaves a test nothing to work with.

A test that cannot be computed has p = NaN and says why; nothing here warns.
"""
