"""What an activation is: kinks, pieces, values, jumps, parity, poles.

Read `shape`, then `pieces`, `singular`, `zeros`, `numbers`.
"""
