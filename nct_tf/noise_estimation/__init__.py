"""How many labels are wrong, by networks' predictions: NumPy alone.

It may import `nct_tf`'s own modules.
"""
