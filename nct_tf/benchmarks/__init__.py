"""What is measured: training steps, serving, several devices, label audits.

It may import everything in `nct_tf` but `experiments`.
"""
