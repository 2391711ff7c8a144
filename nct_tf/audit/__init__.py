"""Which labels are wrong: the audit of a run, its files, and its page.

It may import `evaluation` and `training`, and what they stand on.
"""
