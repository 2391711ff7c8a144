"""The paper's tables and figures, and the choice of parameters."""
