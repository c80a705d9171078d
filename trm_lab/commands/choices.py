"""The words that flags and keys of several commands take.

They stand here, and not beside what they choose, so that a command line is read, refused and explained without torch,
which takes seconds to import.
"""

DEVICE_CHOICES = ("auto", "cpu", "cuda")
COMPILE_CHOICES = ("auto", "off", "max")  # see trm_lab/cluster/compilation.py
ATTENTION_CHOICES = ("auto", "cudnn", "flash", "efficient", "math")  # see trm_lab/cluster/attention.py
WEIGHT_KINDS = ("auto", "ema", "raw")  # auto: averaged where the run kept an average
SAVED_OUTPUTS = ("inputs", "labels", "puzzle_identifiers", "preds", "q_halt_logits", "confidence")
PASS_KS = (1, 2, 5, 10, 100, 1000)  # of ARC/pass@k, which keep_best may name
EXPORT_FORMS = ("hub", "published", "kaggle", "onnx")
IDENTIFIER_CHOICES = ("correct", "blank", "shuffled")  # the puzzle identifiers that the model is given
EMBEDDINGS = ("auto", "own", "mean", "blank")  # of a task, when it is answered
ADAPTED_WEIGHTS = ("embedding", "all")
FREEZE = 0.25  # share of the updates in which only embeddings learn; arXiv 2511.02886, section 2.4
RANKINGS = {
    "count_confidence": "most votes first, then the highest mean confidence",
    "count": "most votes first",
    "confidence_sum": "the highest sum of confidences first (of log-probabilities: of their probabilities), "
    "then most votes",
    "mean_confidence": "the highest mean confidence first, then most votes",
}
DEFAULT_RANKING = "count_confidence"
CONFIDENCES = {
    "answer": "of the answer that is voted for, over its own cells",
    "all-cells": "of the plain answer also where a guided one is voted for, over all cells, padding too",
}  # of methods without a halting probability
MOST_WIDTH = 255  # rollouts of a question
MOST_NOISE = 100.0
STARTS = ("trained", "random")
SELECTIONS = {
    "confidence": "mean log-probability of the answer's tokens, the highest",
    "q_halt": "halting logit, the highest",
    "convergence": "relative change of the answer's latent in the last step, the least",
    "vote": "number of rollouts with the same answer",
    "valid": "right by the rules of the puzzle",
}  # of equals, the one with the highest confidence
ROLLOUT_ORDERS = ("together", "in-turn")
