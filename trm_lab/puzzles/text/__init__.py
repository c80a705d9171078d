"""Questions and answers as text: tokens, question families, mathematics, builders and scorer."""
