"""The detached runner: owns a child's stdio, exit record, heartbeat and process tree.

Standard library only: it is started with ``python -I -S`` and must stay small.
"""
