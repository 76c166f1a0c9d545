"""Decisions: queue, lifecycle, ingest, recovery, event bus. Sees executors through ports only."""
