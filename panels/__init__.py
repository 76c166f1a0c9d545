"""The only code that draws."""
