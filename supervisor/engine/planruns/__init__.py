"""Running plans: each in a loop of its own, which takes in what happened, commits what follows, and then does it."""
