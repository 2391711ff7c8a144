"""Where decoded images lie: in memory, on the disk, or nowhere.

It may import `datasets.image_dataset`, and what it stands on.
"""
