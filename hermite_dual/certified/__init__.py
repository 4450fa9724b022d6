"""Certified layer: enclosures that hold in exact real arithmetic."""
