"""ARC tasks: sources, augmentations, the two forms of the dataset, and pictures of grids."""
