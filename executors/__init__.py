"""The only code that touches git, tmux, docker, processes and agents' protocols."""
