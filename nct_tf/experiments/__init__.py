"""The paper's tables and figures, and the choice of parameters.

The presets are in `presets/`. It may import everything in `nct_tf` but
`benchmarks`.
"""
