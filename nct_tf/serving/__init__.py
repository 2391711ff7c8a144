"""What TF Serving needs of a trained model, and clients that ask it."""
