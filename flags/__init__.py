"""Command line flags, made of the options that they stand for.

Nothing is defined when a module is imported: a script defines its own flags
when it runs, so that two scripts may use one name differently.
"""
