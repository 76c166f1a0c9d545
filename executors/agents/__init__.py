"""One module per agent command line."""
