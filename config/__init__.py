"""Settings models, loading, defaults and data files."""
