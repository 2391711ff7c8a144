"""What the training methods share: the Keras model and what it remembers.

It may import `nct_tf`'s own modules, and no method.
"""
