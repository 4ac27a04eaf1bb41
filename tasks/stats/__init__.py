"""Statistics by kind of question; the unit is the prompt (or the item), never the sample or the rating.

`scores` turns the long table of scores into arrays and `comparisons` walks over it: metric, model, contrast. Tables:
`contrasts` (the main one), `trend` (size), `anova` (arm x size), `secondary` (other looks at the same contrasts),
`variance` (noise, and what could be detected), `capability` (no loss on items), `descriptive` (no test). What they are
made of: `paired` (two arms on the same prompts), `crossed` (several seeds or raters), `effects` (sizes), `families`
(multiplicity), `noninferiority`, `power`, and `outcome`, what a test gives back. `plan` holds the choices made before.

A test that cannot be computed has p = NaN and says why; nothing here warns.
"""
