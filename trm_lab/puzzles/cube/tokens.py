"""Tokens of a 2×2×2 cube: 24 facelets, then the slots for the moves of the answer; 0 is PAD.

The facelets stand face by face in the order of `CUBE_FACES`, each face row by row as it lies in the unfolded net
(U above F, D below it, then R and B to its right, L to its left).
"""

CUBE_FACES = "URFDLB"
CUBE_MASK, CUBE_END = 1, 2  # an answer's slot in the input; no further move, to the last slot
CUBE_FIRST_COLOUR = 3  # + i: the colour that face i of a solved cube has
CUBE_FIRST_MOVE = CUBE_FIRST_COLOUR + len(CUBE_FACES)  # + i: the i-th of facts["moves"]
