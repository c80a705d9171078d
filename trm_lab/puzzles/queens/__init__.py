"""N queens: tokens, boards, splits, builder, scorer and picture."""
