"""The evaluation and the predictions of a finished run.

It may import `training`, and what it stands on.
"""
