"""Git: the worktrees that sessions work in, and everything that happens on them."""
