"""Datasets of tensorflow-datasets."""
