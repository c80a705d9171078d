"""A training and a test split of questions and final answers from files in the form of GSM8K and of MATH.

GSM8K: {"question": …, "answer": "reasoning … #### 42"}. MATH: {"problem": …, "solution": "… \\boxed{42} …"}, other keys
being ignored. A file is JSON lines, a JSON list, or one JSON object; a folder is all of its .json and .jsonl files.
No question comes twice, and none is too long; what was left out is counted.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trm.errors import UserError, shown
from trm.randomness import numpy_generator
from trm_lab.commands.progress import track
from trm_lab.files.untrusted import parse_json
from trm_lab.puzzles.manifest import About, digest
from trm_lab.puzzles.source_files import open_source
from trm_lab.puzzles.text.question_sets import PRINTABLE, SCORER, Sizes, Splits, answer_share
from trm_lab.puzzles.text.questions import Problem
from trm_lab.puzzles.text.tokens import BROKEN, MOST_CHARACTERS

LONGEST_CATEGORY = 60  # characters of a record's `type`; a longer one names no category
_RAREST = 5  # characters named where there are too many
_FORMS = {"gsm8k": ("question", "answer"), "math": ("problem", "solution")}
_ALLOWED = (
    '{"question": "…", "answer": "… #### 42"} as in GSM8K, or '
    '{"problem": "…", "solution": "… \\boxed{42} …"} as in MATH'
)
_GROUPED = re.compile(r"-?\d{1,3}(,\d{3})+(\.\d+)?")  # thousands separators
_BOX = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])\s*")


@dataclass(frozen=True)
class Record:
    """One question with its final answer.

    form: "gsm8k" or "math".
    where: its file and line or record, for errors.
    category: MATH's `type`, such as Algebra; "" for none.
    """

    question: str
    answer: str
    form: str
    where: str
    category: str = ""

    @property
    def problem(self) -> Problem:
        """The question and the answer."""
        return self.question, self.answer


def read_splits(
    train_paths: Sequence[Path],
    test_paths: Sequence[Path] | None,
    train_size: int | None,
    test_size: int | None,
    limits: Sizes,
    seed: int,
) -> tuple[About, Splits, dict[str, str]]:
    """Read the files and split them; the facts say how many records were left out, and why; the third is the category
    of each question, empty unless every record that is used has one.

    Args:
        test_paths: None: `test_size` questions of the training files, drawn by the seed.
        train_size, test_size: None is all there are.
        limits: its lengths hold; its sizes are not looked at.

    Raises:
        UserError: a broken file, fewer questions than the sizes ask for, or more characters than tokens.
    """
    test_records, test_source = _read(test_paths or [], "test")
    train_records, train_source = _read(train_paths, "train")
    used_questions: set[str] = set()
    test, left_out_of_test = _new_problems(test_records, limits, used_questions)
    train, left_out_of_train = _new_problems(train_records, limits, used_questions)
    sources, left_out = {"train": train_source}, {"train": left_out_of_train}
    if test_paths is None:
        assert test_size is not None
        shuffled = _draw(train, len(train), "train", seed)
        test, train = _first(shuffled, test_size, "test"), shuffled[test_size:]
    else:
        sources["test"], left_out["test"] = test_source, left_out_of_test
        test = test if test_size is None else _draw(test, test_size, "test", seed)
    train = train if train_size is None else _draw(train, train_size, "train", seed)
    for split, problems in (("train", train), ("test", test)):
        if not problems:
            raise UserError(
                given=f"no question is left for the {split} split; left out: {left_out}",
                allowed="at least one in each split",
                remedy="give other files, raise --max-question-length, or lower --test-size",
            )
    used = {*train, *test}
    records = [*train_records, *test_records]
    _check_characters(record for record in records if record.problem in used)
    facts = {"seed": seed, "sources": sources, "left_out": left_out, "most_common_answer_share": answer_share([test])}
    forms = sorted({record.form for record in records})
    about = About(f"{'-'.join(forms)}-files", 1, "file", SCORER, facts)
    category_of = {record.question: record.category for record in records if record.problem in used}
    return about, {"train": train, "test": test}, category_of if all(category_of.values()) else {}


def _read(paths: Sequence[Path], split: str) -> tuple[list[Record], dict[str, Any]]:
    """The records of some files, and which files they were."""
    files, content = source_files(paths), hashlib.sha256()
    records: list[Record] = []
    for file in track(files, f"{split} files"):
        records += read_records(file)
        content.update(digest(file).encode())
    return records, {"files": len(files), "records": len(records), "sha256": content.hexdigest()}


def _new_problems(
    records: Sequence[Record], limits: Sizes, used_questions: set[str]
) -> tuple[list[Problem], dict[str, int]]:
    """The records that fit and whose question is new, and how many were left out for which reason."""
    problems: list[Problem] = []
    reasons = {"too_long": 0, "repeated": 0, "asked_in_test_too": 0}
    earlier = frozenset(used_questions)
    for record in records:
        spaced = " ".join(record.question.split())
        if not limits.fits(record.problem):
            reasons["too_long"] += 1
        elif spaced in used_questions:
            reasons["asked_in_test_too" if spaced in earlier else "repeated"] += 1
        else:
            used_questions.add(spaced)
            problems.append(record.problem)
    return problems, reasons


def _draw(problems: Sequence[Problem], size: int, split: str, seed: int) -> list[Problem]:
    """`size` of the problems in random order."""
    order = numpy_generator(seed, f"file questions/{split}").permutation(len(problems)).tolist()
    return _first([problems[i] for i in order], size, split)


def _first(problems: list[Problem], size: int, split: str) -> list[Problem]:
    if size > len(problems):
        raise UserError(
            given=f"--{split}-size {size:,}, but the files hold {len(problems):,} usable questions for it",
            allowed=f"at most {len(problems):,}",
            remedy="lower it, or raise --max-question-length or --max-answer-length",
        )
    return problems[:size]


def _check_characters(records: Iterable[Record]) -> None:
    """Refuse records that have, with the printable characters, more different ones than there are tokens.

    Raises:
        UserError: naming the first record with one too many, and the rarest characters of all.
    """
    characters, first_beyond, counts = set(PRINTABLE), "", Counter[str]()
    for record in records:
        counts.update({*record.question, *record.answer})
        characters |= counts.keys()
        if len(characters) > MOST_CHARACTERS and not first_beyond:
            first_beyond = record.where
    if first_beyond:
        others = characters - set(PRINTABLE)
        rarest = sorted(others, key=lambda character: (counts[character], character))[:_RAREST]
        rarest_counts = ", ".join(f"{character!r} ({counts[character]})" for character in rarest)
        raise UserError(
            given=f"{first_beyond}: the first record with more than {MOST_CHARACTERS} different characters up to "
            f"it; all have {len(characters)}, the rarest (in how many records): {rarest_counts}",
            allowed=f"at most {MOST_CHARACTERS} in all, since a token is one byte",
            remedy="leave out the records with rare characters, or write them with common ones",
        )


def source_files(paths: Sequence[Path]) -> list[Path]:
    """The files meant by these paths, in order.

    Raises:
        UserError: a path that does not exist, or a folder without such files.
    """
    files: list[Path] = []
    for path in paths:
        visible = sorted(path.rglob("[!.]*")) if path.is_dir() else []
        here = [file for file in visible if file.suffix in (".json", ".jsonl")] if path.is_dir() else [path]
        if not here or not path.exists():
            raise UserError(
                given=f"{path}: {'no such file' if here else 'a folder without .json or .jsonl files'}",
                allowed="files or folders in the form of GSM8K or MATH",
                remedy="correct the path",
            )
        files += here
    return files


def read_records(file: Path) -> list[Record]:
    """A file's records.

    Raises:
        UserError: not such a file, naming file, line or record, and reason.
    """
    with open_source(file) as stream:
        content = stream.read()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(str(file), f"byte {error.start} is not UTF-8", "save the file as UTF-8") from error
    records = [_record(where, value) for where, value in _json_values(file, text)]
    if not records:
        raise _refused(str(file), "no record in it", "check that the download is complete")
    return records


def _json_values(file: Path, text: str) -> Iterator[tuple[str, Any]]:
    """(where it stands, JSON value) of each record."""
    if file.suffix != ".jsonl":
        try:
            whole = parse_json(text)
        except json.JSONDecodeError:
            whole = None  # JSON lines under another name
        except ValueError as error:
            raise _refused(str(file), str(error)) from error
        if whole is not None:
            values = whole if isinstance(whole, list) else [whole]
            yield from ((f"{file}, record {i}", value) for i, value in enumerate(values))
            return
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{file}, line {number}"
        try:
            yield where, parse_json(line)
        except json.JSONDecodeError as error:
            raise _refused(where, f"not JSON: {error.msg} at character {error.colno}") from error
        except ValueError as error:
            raise _refused(where, str(error)) from error


def _record(where: str, value: Any) -> Record:
    if not isinstance(value, Mapping):
        raise _refused(where, f"a {type(value).__name__}, not an object with keys")
    form = next((form for form, keys in _FORMS.items() if set(keys) <= value.keys()), None)
    if form is None:
        raise _refused(where, f"its keys are {shown(', '.join(map(str, value)), 80) or 'none'}")
    for key in _FORMS[form]:
        if not isinstance(value[key], str) or not value[key].strip():
            raise _refused(where, f"its {key} is {'empty' if isinstance(value[key], str) else 'not text'}")
    question, solution = (value[key] for key in _FORMS[form])
    try:
        record = Record(question.strip(), final_answer(form, solution), form, where, _category(value.get("type")))
    except ValueError as error:
        raise _refused(where, str(error)) from error
    if BROKEN in record.question + record.answer:
        raise _refused(
            where,
            "the character U+FFFD, which stands for bytes that could not be read",
            "correct or remove that record, or save the file from its source as UTF-8 again",
        )
    return record


def _category(value: Any) -> str:
    """The text of a record's `type`; "" where it names no category."""
    named = isinstance(value, str) and value.isprintable() and len(value) <= LONGEST_CATEGORY
    return value if named else ""


def _refused(where: str, reason: str, remedy: str = "correct or remove that record") -> UserError:
    return UserError(given=f"{where}: {reason}", allowed=_ALLOWED, remedy=remedy)


def final_answer(form: str, text: str) -> str:
    """The final answer of a worked solution.

    Raises:
        ValueError: the text has none; says why.
    """
    answer = _after_hashes(text) if form == "gsm8k" else last_boxed(text)
    if not answer:
        raise ValueError("its final answer is empty")
    return answer


def _after_hashes(text: str) -> str:
    _, hashes, answer = text.rpartition("####")
    if not hashes:
        raise ValueError("no '####' before a final answer")
    answer = answer.strip().removeprefix("$").strip()
    return answer.replace(",", "") if _GROUPED.fullmatch(answer) else answer


def last_boxed(text: str) -> str:
    r"""What stands in the last \boxed{…}, braces nested and escaped.

    Raises:
        ValueError: there is none, or its brace does not end.
    """
    boxes = list(_BOX.finditer(text))
    if not boxes:
        raise ValueError("no \\boxed{…} in it")
    boxed = text[boxes[-1].end() :]
    if not boxed.startswith("{"):  # \boxed 5
        return re.split(r"[\s$]", boxed, maxsplit=1)[0].rstrip(".")
    depth = 0
    for sign in re.finditer(r"\\.|[{}]", boxed, re.DOTALL):
        depth += {"{": 1, "}": -1}.get(sign[0], 0)
        if depth == 0 and sign[0] == "}":
            return boxed[1 : sign.start()].strip()
    raise ValueError("the brace of its last \\boxed{ does not end")
