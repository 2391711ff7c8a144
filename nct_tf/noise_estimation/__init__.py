"""How many labels are wrong, and which: NumPy and scikit-learn alone.

It may import `nct_tf`'s own modules.
"""
