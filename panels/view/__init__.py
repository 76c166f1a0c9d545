"""What the app knows: plain state and what events change in it. No I/O, no widgets."""
