r"""What an answer's text says: a number, a percentage, an amount with its unit, a list, names with values, a relation,
an expression with letters or roots, or else plain text. Kinds are not mixed up: "50%" is not "0.5", and where a number
is asked for, a sum still to be done ("3+4") is no answer.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from trm_lab.puzzles.text.answer_expressions import NotAnExpressionError, parse

_LONGEST = 256  # characters that are looked at as anything but text
_LARGEST_EXPONENT = 1000
_WHOLE = r"(?:0|[1-9]\d*|[1-9]\d{0,2}(?:,\d{3})+)"  # no leading zeros: 007 is a code, not a number
_NUMBER = re.compile(rf"([-+]?) ?({_WHOLE}?)(\.\d+)?\.?(?:(?<=\d)[eE]([-+]?\d{{1,5}}))?")
_RATIO = re.compile(rf"([-+]?) ?({_WHOLE}) ?/ ?({_WHOLE})")
_LATEX_RATIO = re.compile(
    rf"([-+]?) ?({_WHOLE})? ?\\frac(?:\{{(-?{_WHOLE})\}}|(\d)) ?(?:\{{({_WHOLE})\}}|(\d))"
)
_MIXED = re.compile(rf"([-+]?) ?({_WHOLE}) ({_WHOLE})/({_WHOLE})")
_SCIENTIFIC = re.compile(
    rf"([-+]?)(?:({_WHOLE}(?:\.\d+)?)\*)?10\^(?:\{{([-+]?\d{{1,4}})\}}|\(?(-?\d{{1,4}})\)?)"
)
_DATE = re.compile(r"\d+-\d+-\d+")
_AMOUNT = re.compile(r"([-+]? ?[\d.,/ ]*\d\.?) ?([A-Za-z][A-Za-z/^0-9. ]*)")  # 12 cm
_INFINITY = re.compile(r"([-+]?) ?(?:infinity|inf|oo)")
_NAME = r"\\?[A-Za-z]+(?:_\w+|\d+)?'*(?:\([A-Za-z0-9]+\))?"  # x, x_1, speed, f(x), \theta
_A_NAME = re.compile(_NAME)
_NAMES = re.compile(rf"\(({_NAME}(?:, ?{_NAME})+)\)")  # (x, y) = (1, 2)
_RELATION = re.compile(r"(<=|>=|!=|=+|<|>)")
_TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!="}
_RAISED = re.compile(r"⁻?[⁰¹²³⁴-⁹]+(?!\d)")
_POWERS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_REWRITTEN = (
    (re.compile(r"[−–‐‑－﹣]"), "-"),
    (re.compile(r"[×·⋅∗]|\\(?:cdot|times)(?![a-z])"), "*"),
    (re.compile(r"[÷⁄∕]"), "/"),
    (re.compile(r"\\leq?(?![a-z])|≤"), "<="),
    (re.compile(r"\\geq?(?![a-z])|≥"), ">="),
    (re.compile(r"\\neq?(?![a-z])|≠"), "!="),
    (re.compile(r"\\lt(?![a-z])"), "<"),
    (re.compile(r"\\gt(?![a-z])"), ">"),
    (re.compile(r"\\pm(?![a-z])"), "±"),
    (re.compile(r"\\cup(?![a-z])"), "∪"),
    (re.compile(r"\\(?:emptyset|varnothing)(?![a-z])|∅"), "{}"),
    (re.compile(r"\\infty(?![a-z])|∞"), "infinity"),
    (re.compile(r"\\(?:left|right|q?quad)(?![a-z])|\\[!,;: ]|\^\{?\\circ\}?|°"), ""),
    (re.compile(r"\\[dt]frac(?![a-z])"), r"\\frac"),
    (re.compile(r"\\(?:text|textbf|mbox|mathrm)\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\([%${}])"), r"\1"),
    (re.compile(r"√ ?(\d+|[A-Za-z])"), r"sqrt(\1)"),
    (re.compile("√"), "sqrt"),
    (re.compile("π"), " pi "),
    (re.compile(r"(?<=\d) ?per ?cent$"), "%"),
    (re.compile(r"_\{(\w+)\}"), r"_\1"),
    (re.compile(r"\s+"), " "),
    (re.compile(r"(?<![\d.,])(\d{1,3}),(\d{3})(?:,(\d{3}))?(?= ?[A-Za-z]{2})"), r"\1\2\3"),  # 1,200 km
)
_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_AND, _OR = re.compile(r"(?:[,;] ?| )and "), re.compile(r"(?:[,;] ?| )or ")
_SPACED = re.compile(r" ?([,;()\[\]{}]) ?")
_EITHER = "\0"


@dataclass(frozen=True)
class Value:
    """A reading of a text.

    kind: "number", "percent", "amount" (a number of a unit), "list", "any order", "name" (a name and its value),
    "names", "relation", "infinity", "expression" or "text".
    number: of the first three, and of an expression such as 3*10^8, which is another spelling of a number.
    parts: of a list, the sides of a relation, the value of a name, the kind "name" of names.
    text: the unit, the list's two brackets or "", "or" and "and" between what can be true, the name, the relation's
    signs, infinity's sign, or else the text in one spelling.
    """

    kind: str
    number: Fraction | None = None
    parts: tuple["Value", ...] = ()
    text: str = ""


@lru_cache(maxsize=1 << 15)
def reading(text: str) -> Value:
    """What the text says; anything unknown is text."""
    if len(text) > _LONGEST:
        return Value("text", text=text)
    plain = text
    for pattern, replacement in _REWRITTEN:
        plain = pattern.sub(replacement, plain)
    plain = _RAISED.sub(lambda match: "^" + match[0].translate(_POWERS), plain).strip()
    if plain.startswith("\\boxed{") and plain.endswith("}"):
        plain = plain[len("\\boxed{") : -1].strip()
    if len(plain) > 2 and plain.startswith("$") and plain.endswith("$"):
        plain = plain[1:-1].strip()
    return _read(plain)


def _read(plain: str) -> Value:
    number = _number(plain.removesuffix("%").rstrip())
    if number is not None:
        return Value("percent" if plain.endswith("%") else "number", number)
    for kind in (_several, _relation, _either_sign, _infinity, _expression, _amount):
        value = kind(plain)
        if value is not None:
            return value
    return Value("text", text=_SPACED.sub(r"\1", plain))


def _number(plain: str) -> Fraction | None:
    """A number written out: decimal, with thousands separators or a currency sign, or as a fraction."""
    money = re.sub(r"^([-+]?) ?\$ ?", r"\1", plain)
    decimal = _NUMBER.fullmatch(money)
    if decimal and (decimal[2] or decimal[3]):
        exponent = int(decimal[4] or 0)
        if abs(exponent) > _LARGEST_EXPONENT:
            return None
        size = Fraction((decimal[2] + (decimal[3] or "")).replace(",", "")) * Fraction(10) ** exponent
        return -size if decimal[1] == "-" else size
    for pattern in (_RATIO, _MIXED, _LATEX_RATIO):
        found = pattern.fullmatch(plain)
        if found:
            sign, *parts = (part and part.replace(",", "") for part in found.groups())
            numbers = [int(part) for part in parts if part]
            if numbers[-1] == 0 or (len(numbers) == 3 and numbers[1] < 0):
                return None
            whole = numbers[0] if len(numbers) == 3 else 0
            size = whole + Fraction(numbers[-2], numbers[-1])
            return -size if sign == "-" else size
    return None


def _expression(plain: str) -> Value | None:
    if len(plain) > 1 and plain != "pi" and plain.isalpha():  # abc is a word, not a product
        return None
    try:
        parse(plain)
    except NotAnExpressionError:
        return None
    return None if _DATE.search(plain) else Value("expression", _scientific(plain), text=plain)


def _scientific(plain: str) -> Fraction | None:
    found = _SCIENTIFIC.fullmatch(plain.replace(" ", ""))
    exponent = int(found[3] or found[4]) if found else 0
    if found is None or abs(exponent) > _LARGEST_EXPONENT:
        return None
    return Fraction(found[1] + (found[2] or "1").replace(",", "")) * Fraction(10) ** exponent


def _amount(plain: str) -> Value | None:
    found = _AMOUNT.fullmatch(plain)
    number = _number(found[1].rstrip()) if found else None
    return Value("amount", number, text=found[2]) if found and number is not None else None


def _infinity(plain: str) -> Value | None:
    found = _INFINITY.fullmatch(plain)
    return Value("infinity", text=found[1].replace("+", "")) if found else None


def _either_sign(plain: str) -> Value | None:
    """±a: two values."""
    if plain.count("±") != 1:
        return None
    both = [_read(plain.replace("±", sign, 1).removeprefix("+").strip()) for sign in "+-"]
    return Value("any order", parts=tuple(both))


def _several(plain: str) -> Value | None:
    """A list: in brackets, or of several parts with commas, "and" or "or" between; a union; names with values."""
    bracketed = len(plain) > 1 and plain[0] in "([{" and plain[-1] in ")]}"
    inner = plain[1:-1] if bracketed else plain
    if bracketed and not inner.strip():
        return Value("list", text=plain[0] + plain[-1])
    pieces = _split(inner, ",;")
    if pieces is None or (len(pieces) == 1 and not (bracketed and plain[0] == "{")):
        return _unbracketed(plain)
    if not all(piece.strip() for piece in pieces):
        return None
    if not bracketed:
        return _unbracketed(plain)
    parts = tuple(_read(piece.strip()) for piece in pieces)
    if all(part.kind == "name" for part in parts):
        return Value("names", parts=parts)
    return Value("list", parts=parts, text=plain[0] + plain[-1])


def _unbracketed(plain: str) -> Value | None:
    union = _split(plain, "∪")
    if union is not None and len(union) > 1:
        return Value("any order", parts=tuple(_read(piece.strip()) for piece in union), text="∪")
    alternatives = _split(_OR.sub(_EITHER, plain), _EITHER)
    if alternatives is None:
        return None
    return _together(plain) if len(alternatives) == 1 else _alternatives(alternatives)


def _together(plain: str) -> Value | None:
    """Parts with commas or "and" between."""
    joined = _AND.sub(",", plain)
    pieces = _split(joined, ",;")
    if pieces is None or len(pieces) == 1 or not all(piece.strip() for piece in pieces):
        return None
    parts = tuple(_read(piece.strip()) for piece in pieces)
    if joined != plain and any(part.kind == "text" for part in parts):
        return None  # a sentence
    if all(part.kind == "relation" for part in parts):
        return Value("any order", parts=parts, text="and")
    return _names(parts) or Value("list", parts=parts)


def _alternatives(texts: Sequence[str]) -> Value | None:
    """Parts with "or" between, each of which may be a system: x = 1, y = 2 or x = 3, y = 4. Else commas are "or"."""
    read = [_read(text.strip()) for text in texts]
    systems = [one.kind == "names" and len({part.text for part in one.parts}) > 1 for one in read]
    if not any(systems) and not any(_AND.search(text) for text in texts):
        pieces = [_split(text, ",;") or [""] for text in texts]
        read = [_read(piece.strip()) for several in pieces for piece in several]
    if any(one.kind == "text" for one in read):
        return None  # a sentence
    named = _names(tuple(read))
    if named is not None and len({part.text for part in named.parts}) == 1:
        return named
    can_be_true = any(one.kind in ("name", "names", "relation", "any order") for one in read)
    return Value("any order", parts=tuple(read), text="or" if can_be_true else "")


def _names(parts: tuple[Value, ...]) -> Value | None:
    """Names with values; "x = 2, 3" says x = 2, x = 3."""
    if parts[0].kind != "name" or any(part.kind == "names" for part in parts):
        return None
    named: list[Value] = []
    for part in parts:
        named.append(part if part.kind == "name" else Value("name", parts=(part,), text=named[-1].text))
    return Value("names", parts=tuple(named))


def _relation(plain: str) -> Value | None:
    """x = 3, (x, y) = (1, 2), an equation or an inequality; what is greater stands to the right."""
    sides = [side.strip() for side in _RELATION.split(plain)]
    terms, signs = sides[::2], ["=" if sign == "==" else sign for sign in sides[1::2]]
    if not signs or not all(terms) or not all(sign in _TURNED for sign in signs):
        return None
    if signs == ["="]:
        named = _named(*terms) or _named(*terms[::-1])
        if named is not None:
            return named
    if signs[0] in (">", ">="):
        terms, signs = terms[::-1], [_TURNED[sign] for sign in signs[::-1]]
    return Value("relation", parts=tuple(map(_read, terms)), text=" ".join(signs))


def _named(name: str, value: str) -> Value | None:
    values = _read(value)
    if _A_NAME.fullmatch(name):
        each = values.parts if values.kind == "any order" and values.text != "∪" else (values,)
        named = tuple(Value("name", parts=(one,), text=name.removeprefix("\\")) for one in each)
        return named[0] if len(named) == 1 else Value("names", parts=named)
    names = _NAMES.fullmatch(name)
    if names is None or values.kind != "list":
        return None
    letters = re.split(", ?", names[1])
    if len(letters) != len(values.parts):
        return None
    pairs = zip(letters, values.parts, strict=True)
    return Value("names", parts=tuple(Value("name", parts=(one,), text=letter) for letter, one in pairs))


def _split(text: str, separators: str) -> list[str] | None:
    """The text between separators that are in no bracket; None if the brackets do not close."""
    pieces, depth = [""], 0
    for character in text:
        depth += (character in _BRACKETS) - (character in _BRACKETS.values())
        if depth < 0:
            return None
        if character in separators and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += character
    return pieces if depth == 0 else None
