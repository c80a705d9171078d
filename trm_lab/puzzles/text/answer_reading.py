r"""What an answer's text says: a number, a percentage, an amount with its unit, a list, names with values, a relation,
an expression with letters or roots, or else plain text. Kinds are not mixed up: "50%" is not "0.5", and a sum still to
be done ("3+4") is no number.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from trm_lab.puzzles.text.expressions import NotAnExpressionError, parse

_LONGEST = 256  # characters that are looked at as anything but text
_LARGEST_EXPONENT = 1000
_WHOLE = r"(?:0|[1-9]\d*|[1-9]\d{0,2}(?:,\d{3})+)"  # no leading zeros: 007 is a code, not a number
_NUMBER = re.compile(rf"([-+]?) ?({_WHOLE}?)(\.\d+)?\.?(?:(?<=\d)[eE]([-+]?\d{{1,5}}))?")
_RATIO = re.compile(rf"([-+]?) ?({_WHOLE}) ?/ ?({_WHOLE})")
_LATEX_RATIO = re.compile(rf"([-+]?) ?({_WHOLE})? ?\\frac(?:\{{(-?{_WHOLE})\}}|(\d)) ?(?:\{{({_WHOLE})\}}|(\d))")
_MIXED = re.compile(rf"([-+]?) ?({_WHOLE}) ({_WHOLE})/({_WHOLE})")
_SCIENTIFIC = re.compile(rf"([-+]?)(?:({_WHOLE}(?:\.\d+)?)\*)?10\^(?:\{{([-+]?\d{{1,4}})\}}|\(?(-?\d{{1,4}})\)?)")
_DATE = re.compile(r"\d+-\d+-\d+")  # 2023-05-21 is no difference
_AMOUNT = re.compile(r"([-+]? ?[\d.,/ ]*\d\.?) ?([A-Za-z][A-Za-z/^0-9. ]*)")  # 12 cm
_INFINITY = re.compile(r"([-+]?) ?(?:infinity|inf|oo)")
_NAME = r"\\?[A-Za-z]+(?:_\w+|\d+)?'*(?:\([A-Za-z0-9]+\))?"  # x, x_1, speed, f(x), \theta
_SINGLE_NAME = re.compile(_NAME)
_NAMES = re.compile(rf"\(({_NAME}(?:, ?{_NAME})+)\)")  # (x, y) = (1, 2)
_RELATION = re.compile(r"(<=|>=|!=|=+|<|>)")
_REVERSED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!="}
_RAISED = re.compile(r"⁻?[⁰¹²³⁴-⁹]+(?!\d)")  # x², 10⁻³
_POWERS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_REWRITTEN = (  # pattern, replacement; one after the other
    (r"[−–‐‑－﹣]", "-"),
    (r"[×·⋅∗]|\\(?:cdot|times)(?![a-z])", "*"),
    (r"[÷⁄∕]", "/"),
    (r"\\leq?(?![a-z])|≤", "<="),
    (r"\\geq?(?![a-z])|≥", ">="),
    (r"\\neq?(?![a-z])|≠", "!="),
    (r"\\lt(?![a-z])", "<"),
    (r"\\gt(?![a-z])", ">"),
    (r"\\pm(?![a-z])", "±"),
    (r"\\cup(?![a-z])", "∪"),
    (r"\\(?:emptyset|varnothing)(?![a-z])|∅", "{}"),
    (r"\\infty(?![a-z])|∞", "infinity"),
    (r"\\(?:left|right|q?quad)(?![a-z])|\\[!,;: ]|\^\{?\\circ\}?|°", ""),
    (r"\\[dt]frac(?![a-z])", r"\\frac"),
    (r"\\(?:text|textbf|mbox|mathrm)\{([^{}]*)\}", r"\1"),
    (r"\\([%${}])", r"\1"),
    (r"√ ?(\d+|[A-Za-z])", r"sqrt(\1)"),
    ("√", "sqrt"),
    ("π", " pi "),
    (r"(?<=\d) ?per ?cent$", "%"),
    (r"_\{(\w+)\}", r"_\1"),
    (r"\s+", " "),
    (r"(?<![\d.,])(\d{1,3}),(\d{3})(?:,(\d{3}))?(?= ?[A-Za-z]{2})", r"\1\2\3"),  # 1,200 km
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
    """What the text says; whatever fits no other kind is text."""
    if len(text) > _LONGEST:
        return Value("text", text=text)
    plain = text
    for pattern, replacement in _REWRITTEN:
        plain = re.sub(pattern, replacement, plain)
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
    for read_kind in (_brackets, _several, _relation, _either_sign, _infinity, _expression, _amount):
        value = read_kind(plain)
        if value is not None:
            return value
    return Value("text", text=_SPACED.sub(r"\1", plain))


def _read_all(texts: Iterable[str]) -> tuple[Value, ...]:
    return tuple(_read(text.strip()) for text in texts)


def _number(plain: str) -> Fraction | None:
    """A number written out: decimal, with thousands separators or a currency sign, or as a fraction."""
    decimal = _NUMBER.fullmatch(re.sub(r"^([-+]?) ?\$ ?", r"\1", plain))
    if decimal and (decimal[2] or decimal[3]):
        size = _power_of_ten(decimal[2] + (decimal[3] or ""), int(decimal[4] or 0))
        return -size if size and decimal[1] == "-" else size
    ratio = _RATIO.fullmatch(plain) or _MIXED.fullmatch(plain) or _LATEX_RATIO.fullmatch(plain)
    if ratio is None:
        return None
    sign, *parts = ratio.groups()
    *whole, top, bottom = (int(part.replace(",", "")) for part in parts if part)
    if bottom == 0 or (whole and top < 0):
        return None
    size = sum(whole) + Fraction(top, bottom)
    return -size if sign == "-" else size


def _power_of_ten(digits: str, exponent: int) -> Fraction | None:
    """digits · 10^exponent, unless that is monstrous."""
    if abs(exponent) > _LARGEST_EXPONENT:
        return None
    return Fraction(digits.replace(",", "")) * Fraction(10) ** exponent


def _expression(plain: str) -> Value | None:
    if len(plain) > 1 and plain != "pi" and plain.isalpha():  # abc is a word, not a product
        return None
    try:
        parse(plain)
    except NotAnExpressionError:
        return None
    if _DATE.search(plain):
        return None
    number = None
    if scientific := _SCIENTIFIC.fullmatch(plain.replace(" ", "")):
        sign, digits, braced, bare = scientific.groups()
        number = _power_of_ten(sign + (digits or "1"), int(braced or bare))
    return Value("expression", number, text=plain)


def _amount(plain: str) -> Value | None:
    amount = _AMOUNT.fullmatch(plain)
    number = _number(amount[1].rstrip()) if amount else None
    return Value("amount", number, text=amount[2]) if amount and number is not None else None


def _infinity(plain: str) -> Value | None:
    infinity = _INFINITY.fullmatch(plain)
    return Value("infinity", text=infinity[1].replace("+", "")) if infinity else None


def _either_sign(plain: str) -> Value | None:
    """±a: two values."""
    if plain.count("±") != 1:
        return None
    return Value("any order", parts=_read_all(plain.replace("±", sign).removeprefix("+") for sign in "+-"))


def _brackets(plain: str) -> Value | None:
    """A list in brackets, of several parts unless it is a set; or names with values in brackets."""
    if len(plain) < 2 or plain[0] not in "([{" or plain[-1] not in ")]}":
        return None
    if not plain[1:-1].strip():
        return Value("list", text=plain[0] + plain[-1])
    pieces = _split(plain[1:-1], ",;")
    if not _all_filled(pieces) or (len(pieces) == 1 and plain[0] != "{"):
        return None
    parts = _read_all(pieces)
    if all(part.kind == "name" for part in parts):
        return Value("names", parts=parts)
    return Value("list", parts=parts, text=plain[0] + plain[-1])


def _several(plain: str) -> Value | None:
    """Parts with commas, "and" or "or" between; a union of sets; names with values."""
    if not _all_filled(_split(plain, ",;")):
        return None
    union = _split(plain, "∪")
    if len(union) > 1:
        return Value("any order", parts=_read_all(union), text="∪")
    alternatives = _split(_OR.sub(_EITHER, plain), _EITHER)
    if len(alternatives) > 1:
        return _alternatives(alternatives)
    joined = _AND.sub(",", plain)
    pieces = _split(joined, ",;")
    if len(pieces) == 1 or not _all_filled(pieces):
        return None
    parts = _read_all(pieces)
    if joined != plain and any(part.kind == "text" for part in parts):
        return None  # a sentence
    if all(part.kind == "relation" for part in parts):
        return Value("any order", parts=parts, text="and")
    return _names(parts) or Value("list", parts=parts)


def _alternatives(texts: Sequence[str]) -> Value | None:
    """Parts with "or" between, each of which may be a system: x = 1, y = 2 or x = 3, y = 4. Else commas are "or"."""
    parts = _read_all(texts)
    systems = any(part.kind == "names" and len(_names_in(part)) > 1 for part in parts)
    if not systems and not any(_AND.search(text) for text in texts):
        parts = _read_all(piece for text in texts for piece in _split(text, ",;") or [""])
    if any(part.kind == "text" for part in parts):
        return None  # a sentence
    names = _names(parts)
    if names is not None and len(_names_in(names)) == 1:
        return names
    can_be_true = any(part.kind in ("name", "names", "relation", "any order") for part in parts)
    return Value("any order", parts=parts, text="or" if can_be_true else "")


def _names(parts: tuple[Value, ...]) -> Value | None:
    """Names with values; "x = 2, 3" says x = 2, x = 3."""
    if parts[0].kind != "name" or any(part.kind == "names" for part in parts):
        return None
    named: list[Value] = []
    for part in parts:
        named.append(part if part.kind == "name" else name_value(named[-1].text, part))
    return Value("names", parts=tuple(named))


def _names_in(names: Value) -> set[str]:
    return {part.text for part in names.parts}


def name_value(name: str, value: Value) -> Value:
    """The reading of "name = value"."""
    return Value("name", parts=(value,), text=name)


def _relation(plain: str) -> Value | None:
    """x = 3, (x, y) = (1, 2), an equation or an inequality; what is greater stands to the right."""
    sides = [side.strip() for side in _RELATION.split(plain)]
    terms, signs = sides[::2], ["=" if sign == "==" else sign for sign in sides[1::2]]
    if not signs or not all(terms) or not all(sign in _REVERSED for sign in signs):
        return None
    if signs == ["="]:
        names = _equation_of_names(*terms) or _equation_of_names(*terms[::-1])
        if names is not None:
            return names
    if signs[0] in (">", ">="):
        terms, signs = terms[::-1], [_REVERSED[sign] for sign in signs[::-1]]
    return Value("relation", parts=_read_all(terms), text=" ".join(signs))


def _equation_of_names(left: str, right: str) -> Value | None:
    """x = 3 or (x, y) = (1, 2); x = ±3 names x twice."""
    value = _read(right)
    if _SINGLE_NAME.fullmatch(left):
        values = value.parts if value.kind == "any order" and value.text != "∪" else (value,)
        letters = [left.removeprefix("\\")] * len(values)
    else:
        tuple_of_names = _NAMES.fullmatch(left)
        if tuple_of_names is None or value.kind != "list":
            return None
        letters, values = re.split(", ?", tuple_of_names[1]), value.parts
    if len(letters) != len(values):
        return None
    names = tuple(map(name_value, letters, values))
    return names[0] if len(names) == 1 else Value("names", parts=names)


def _split(text: str, separators: str) -> list[str]:
    """The text between separators that are in no bracket; nothing if the brackets do not close."""
    pieces, depth = [""], 0
    for character in text:
        depth += (character in _BRACKETS) - (character in _BRACKETS.values())
        if depth < 0:
            return []
        if character in separators and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += character
    return [] if depth else pieces


def _all_filled(pieces: Sequence[str]) -> bool:
    return bool(pieces) and all(map(str.strip, pieces))
