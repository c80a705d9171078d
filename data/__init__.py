"""One command for each dataset; the work is in `trm_lab/puzzles/<kind>/`.

Built datasets lie here too; git ignores them.
"""
