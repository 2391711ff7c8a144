"""Which labels are wrong: the audit of a run, its files, and its page."""
