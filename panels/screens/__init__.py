"""The panels of the main screen, and the screens that open over it."""
