"""Clients of a served model: local, REST, gRPC."""
