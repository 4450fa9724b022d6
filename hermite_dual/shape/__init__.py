"""What an activation is: kinks, pieces, values, jumps, parity, poles.

Read `shape`, then `at_points`, `pieces`, `singular`, `zeros`, `numbers`; `refusals` (what is no activation).
"""
