"""Plans: what their documents say, and what of them may run."""
