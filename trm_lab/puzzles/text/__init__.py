"""Questions and answers as text: tokens, picture and scorer (with what an answer's text says), and two builders.

`qa_*` and `math_*` are families of questions with computed answers; `math_files` reads those of GSM8K and MATH.
"""
