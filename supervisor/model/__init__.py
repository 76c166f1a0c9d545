"""Shapes, identifiers, statuses, legal moves and the error tree. No input or output."""
