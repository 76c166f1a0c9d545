"""Plan documents: reading them with every problem and its line, checking, and writing them again."""
