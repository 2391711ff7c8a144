"""The files of a run: their names, their content, and what goes on from them.

It may import `config`, `methods`, `models`, `input_pipeline` and `reporting`,
and what they stand on.
"""
