"""The only SQL: one writer, read-only readers, numbered migrations."""
