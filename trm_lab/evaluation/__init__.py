"""From rollouts to scores: answers, metrics, votes, halting, guidance, intervals and comparisons."""
