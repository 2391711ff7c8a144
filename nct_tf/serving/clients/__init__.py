"""Clients of a served model: local, REST and gRPC.

They may import `serving`, and what it stands on.
"""
