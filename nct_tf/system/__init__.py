"""What depends on the machine: files, processes, optional packages.

It may import `nct_tf`'s own modules, such as `errors`, and nothing above them.
"""
