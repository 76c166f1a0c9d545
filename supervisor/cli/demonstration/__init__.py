"""The sample job of `quarterdeck demo`."""
