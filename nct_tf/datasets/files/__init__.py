"""A user's own pictures: folders, CSV files and npz files.

It may import `datasets` and `datasets.storage`, and what they stand on.
"""
