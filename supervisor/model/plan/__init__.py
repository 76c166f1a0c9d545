"""The plan document: what is to be done, in which order, and how it is checked. No input or output."""
