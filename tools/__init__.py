"""Tools that work on the checkout itself; most need nothing but Python."""
