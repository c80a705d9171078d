"""How a checkpoint leaves the laboratory: exports, model cards, the Hub and competition packages."""
