"""Which upstream functions are replaced, whether they are still those that were reviewed, and how."""
