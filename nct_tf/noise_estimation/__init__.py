"""How many labels are wrong, and which: without TensorFlow.

It may import `nct_tf`'s own modules.
"""
