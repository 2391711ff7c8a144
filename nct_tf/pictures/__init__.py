"""Picture files: which files are pictures, and what their pixels are.

Training, the audit and the clients of a served model all read pictures by these
modules. They load without TensorFlow, and import nothing but `nct_tf`'s own
modules.
"""
