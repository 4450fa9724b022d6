"""Tables of activations for papers: what a column holds, and how a table is written."""
