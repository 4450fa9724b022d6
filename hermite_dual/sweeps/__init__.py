"""Validations and tables over activations, scales and seeds, on threads or a cluster, kept on disk point by point."""
