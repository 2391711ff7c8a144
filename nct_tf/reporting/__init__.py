"""Figures and text tables.

It may import `methods.options`, which tells the methods' titles, and what lies
below it.
"""
