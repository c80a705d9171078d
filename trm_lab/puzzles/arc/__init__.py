"""ARC tasks: grids, sources, augmentations, the two forms of the dataset, its builder, and pictures."""
