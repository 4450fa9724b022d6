"""The atlas: what the package proves of each activation, in one data file that pages, tables and people read.

In the order of reading: `literature` (which activations, and who published which dual), `digits` (numbers as decimals),
`forms`, `numbers`, `extremes`, `decay` and `phases` (the fields of a record), `record` (all of them for one
activation), `families` (with symbols for parameters), `build` (the whole file, resumable), `snippets` (what to paste),
`atlas` (reading it).
"""
