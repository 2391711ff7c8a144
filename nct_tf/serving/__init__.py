"""What TF Serving needs of a trained model: the export, and what is beside it.

It may import `workdir` and what it stands on; the clients are in `clients/`.
"""
