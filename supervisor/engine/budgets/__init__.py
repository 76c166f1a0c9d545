"""Budgets: weighed in the transaction that stores what was used; what follows is done from what is stored."""
