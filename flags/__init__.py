"""Command line flags, each made from an option.

Importing a module defines no flag. A script defines its own flags when it runs,
so that two scripts may use one name differently.
"""
