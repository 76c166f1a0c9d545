"""Policy: which acts of an agent are allowed, asked about, or denied. Pure; docs/policy.md is the specification."""
