"""Where decoded images are kept: in memory, on disk, or nowhere.

It may import `datasets.image_dataset`, and what it stands on.
"""
