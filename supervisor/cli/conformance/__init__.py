"""Checks that a tool keeps the approval protocol."""
