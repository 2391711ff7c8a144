"""One's own pictures: folders, CSV files, npz files."""
