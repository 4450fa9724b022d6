"""A second proof of a claim, by other ways than the first, from data and parameters alone.

`rebuild` (entries), with `rebuild_rows` and `rebuild_kinks`; `plain_bounds` (the eigenvalue from a measured residual);
then `certificate`: files that state a claim, and their verification.
"""
