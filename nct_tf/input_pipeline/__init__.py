"""From a dataset to batches: noise, label decisions, sampling, augmentation."""
