"""From a dataset to batches: label noise, decisions, sampling, augmentation.

It may import `datasets`, and what it stands on.
"""
