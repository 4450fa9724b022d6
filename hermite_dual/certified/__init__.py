"""Certified layer: enclosures that hold in exact real arithmetic.

Wings, each resting on those before it: `balls`, `growth`, `suprema`, `enclosures`, `counted`, `eigenvalues`; and
`second_proof`, which rests on the first four and on as little of the rest as it can. `docs/theory` derives their
bounds.
"""
