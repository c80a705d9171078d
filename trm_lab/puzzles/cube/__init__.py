"""The 2×2×2 cube: tokens, states, symmetries, splits, builder, scorer and picture."""
