"""Tools that work on the checkout itself, and need nothing but Python."""
