"""Attempts in containers: the executor, what a container may do, and the relay that its runner runs."""
