"""N queens: boards, splits, builder and scorer."""
