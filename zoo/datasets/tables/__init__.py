"""Tables of images, such as CSV files: their rows, labels and paths."""
