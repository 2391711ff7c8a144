"""Text tables and figures."""
