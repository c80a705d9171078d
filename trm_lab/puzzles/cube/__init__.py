"""The 2×2×2 cube: states, symmetries, builder, scorer and picture."""
