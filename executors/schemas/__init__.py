"""A program that holds a file of JSON against a JSON schema."""
