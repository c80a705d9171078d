"""Questions and final answers from files in the form of GSM8K and of MATH.

GSM8K: {"question": …, "answer": "reasoning … #### 42"}. MATH: {"problem": …, "solution": "… \\boxed{42} …"}, other keys
being ignored. A file is JSON lines, a JSON list, or one JSON object; a folder is all of its .json and .jsonl files.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trm.errors import UserError, shown
from trm_lab.files.untrusted import parse_json
from trm_lab.puzzles.source_files import open_source
from trm_lab.puzzles.text.tokens import BROKEN, MOST_CHARACTERS

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
    """

    question: str
    answer: str
    form: str
    where: str


def source_files(paths: Sequence[Path]) -> list[Path]:
    """The files meant by these paths, in order.

    Raises:
        UserError: a path that does not exist, or a folder without such files.
    """
    files: list[Path] = []
    for path in paths:
        found = (
            sorted(p for p in path.rglob("[!.]*") if p.suffix in (".json", ".jsonl"))
            if path.is_dir()
            else [path]
        )
        if not found or not path.exists():
            raise UserError(
                given=f"{path}: {'a folder without .json or .jsonl files' if found == [] else 'no such file'}",
                allowed="files or folders in the form of GSM8K or MATH",
                remedy="correct the path",
            )
        files += found
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
    records = [_record(where, one) for where, one in _objects(file, text)]
    if not records:
        raise _refused(str(file), "no record in it", "check that the download is complete")
    return records


def check_characters(records: Iterable[Record], known: str) -> None:
    """Refuse records that have, with the known characters, more different ones than there are tokens.

    Raises:
        UserError: naming the first record with one too many, and the rarest characters of all.
    """
    found, beyond, counts = set(known), "", Counter[str]()
    for record in records:
        own = set(record.question + record.answer)
        counts.update(own)
        found |= own
        if len(found) > MOST_CHARACTERS and not beyond:
            beyond = record.where
    if beyond:
        others = found - set(known)
        rarest = sorted(others, key=lambda character: (counts[character], character))[:_RAREST]
        named = ", ".join(f"{character!r} ({counts[character]})" for character in rarest)
        raise UserError(
            given=f"{beyond}: the first record with more than {MOST_CHARACTERS} different characters up to it; all "
            f"have {len(found)}, the rarest (in how many records): {named}",
            allowed=f"at most {MOST_CHARACTERS} in all, since a token is one byte",
            remedy="leave out the records with rare characters, or write them with common ones",
        )


def final_answer(form: str, text: str) -> str:
    """The final answer of a worked solution.

    Raises:
        ValueError: the text has none; says why.
    """
    answer = _after_hashes(text) if form == "gsm8k" else last_boxed(text)
    if not answer:
        raise ValueError("its final answer is empty")
    return answer


def last_boxed(text: str) -> str:
    r"""What stands in the last \boxed{…}, braces nested and escaped.

    Raises:
        ValueError: there is none, or its brace does not end.
    """
    boxes = list(_BOX.finditer(text))
    if not boxes:
        raise ValueError("no \\boxed{…} in it")
    rest = text[boxes[-1].end() :]
    if not rest.startswith("{"):  # \boxed 5
        return re.split(r"[\s$]", rest, maxsplit=1)[0].rstrip(".")
    depth = 0
    for sign in re.finditer(r"\\.|[{}]", rest, re.DOTALL):
        depth += {"{": 1, "}": -1}.get(sign[0], 0)
        if depth == 0 and sign[0] == "}":
            return rest[1 : sign.start()].strip()
    raise ValueError("the brace of its last \\boxed{ does not end")


def _after_hashes(text: str) -> str:
    _, hashes, answer = text.rpartition("####")
    if not hashes:
        raise ValueError("no '####' before a final answer")
    answer = answer.strip().removeprefix("$").strip()
    return answer.replace(",", "") if _GROUPED.fullmatch(answer) else answer


def _objects(file: Path, text: str) -> Iterator[tuple[str, Any]]:
    """(where it stands, JSON value) of each record."""
    if file.suffix != ".jsonl":
        try:
            whole = parse_json(text)
        except json.JSONDecodeError:
            whole = None  # JSON lines under another name
        except ValueError as error:
            raise _refused(str(file), str(error)) from error
        if isinstance(whole, list):
            yield from ((f"{file}, record {i}", content) for i, content in enumerate(whole))
            return
        if whole is not None:
            yield f"{file}, record 0", whole
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


def _record(where: str, content: Any) -> Record:
    if not isinstance(content, Mapping):
        raise _refused(where, f"a {type(content).__name__}, not an object with keys")
    form = next((form for form, keys in _FORMS.items() if set(keys) <= content.keys()), None)
    if form is None:
        raise _refused(where, f"its keys are {shown(', '.join(map(str, content)), 80) or 'none'}")
    question, solution = (content[key] for key in _FORMS[form])
    for key, value in zip(_FORMS[form], (question, solution), strict=True):
        if not isinstance(value, str) or not value.strip():
            raise _refused(where, f"its {key} is {'empty' if isinstance(value, str) else 'not text'}")
    try:
        record = Record(question.strip(), final_answer(form, solution), form, where)
    except ValueError as error:
        raise _refused(where, str(error)) from error
    if BROKEN in record.question + record.answer:
        raise _refused(
            where,
            "the character U+FFFD, which stands for bytes that could not be read",
            "correct or remove that record, or save the file from its source as UTF-8 again",
        )
    return record


def _refused(where: str, reason: str, remedy: str = "correct or remove that record") -> UserError:
    return UserError(
        given=f"{where}: {reason}",
        allowed=_ALLOWED,
        remedy=remedy,
    )
