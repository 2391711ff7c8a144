"""Datasets of tensorflow-datasets.

It may import `datasets`, `datasets.storage` and the builders below it.
"""
