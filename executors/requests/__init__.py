"""Requests that are tasks of plans: one over HTTP, or statements for a database, in a process of its own."""
