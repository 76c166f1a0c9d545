"""Attempts in the windows of a private tmux server: the connection to it, and the executor."""
