"""What works on the checkout itself, with nothing but Python."""
