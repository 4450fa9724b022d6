"""How formulas are typed: mathematical signs, bars for absolute values, products without a sign.

The text is rewritten to the grammar that the reader knows; what stays ambiguous is refused, never guessed.
"""

import keyword
import re

from hermite_dual.errors import ParseError

_SIGNS = str.maketrans({
    "−": "-", "–": "-", "·": "*", "⋅": "*", "×": "*", "∙": "*", "÷": "/", "≤": "<=", "≥": ">=", "^": "**", "π": " pi ",
})  # fmt: skip
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_TOKEN = re.compile(
    r"(?P<number>(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?(?:j\b)?)|(?P<name>[^\W\d⁰¹²³⁴⁵⁶⁷⁸⁹][^\W⁰¹²³⁴⁵⁶⁷⁸⁹]*)"
    r"|(?P<root>√)|(?P<power>[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)|(?P<bar>\|)|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<space>\s+)|(?P<sign>.)",
    re.DOTALL,
)
_BARS = {"|": ")", "√|": "))"}
"""Opened bars, each with what closes it."""
_WORDS = frozenset(keyword.kwlist) - {"True", "False", "None"}


def shown(text: str) -> str:
    """Return a string for a message, shortened."""
    return repr(text if len(text) <= 80 else text[:77] + "...")


def name_key(name: str) -> str:
    """Return the spelling under which a name is kept: `Leaky ReLU`, `leaky_relu` and `LeakyReLU` are one."""
    return re.sub(r"(?<=\w)[\s_-]+(?=\w)|_", "", name.strip()).lower()


def plain_formula(text: str) -> str:
    """Return a formula in the signs of the grammar: `|x|` as `abs(x)`, `x²` as `x**2`, `√x` as `sqrt(x)`.

    Raises:
        ParseError: a product has no sign, or a bar does not say whether it opens or closes.
    """
    return _Rewriter(text).rewritten()


class _Rewriter:
    """One pass over the tokens; `ended` is the text of a value that has just ended, None after a sign."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.output: list[str] = []
        self.nesting: list[str] = []
        self.ended: str | None = None
        self.callable = False
        self.pending_root = False

    def rewritten(self) -> str:
        for match in _TOKEN.finditer(self.text.translate(_SIGNS).strip()):
            kind, token = str(match.lastgroup), match.group()
            if kind == "space":
                self.output.append(token)
            else:
                self._take(kind, token)
        if self.nesting and self.nesting[-1] in _BARS:
            raise self._fault("a bar | is opened and not closed")
        if self.pending_root:
            raise self._fault("the root sign needs what stands under it: write √(...)")
        return "".join(self.output).strip()

    def _take(self, kind: str, token: str) -> None:
        if self.pending_root and kind not in ("open", "name", "number", "bar"):
            raise self._fault("the root sign needs what stands under it: write √(...)")
        match kind:
            case "number" | "name" if token not in _WORDS:
                self._value(kind, token)
            case "open":
                self._open(token)
            case "close":
                self._close(token)
            case "bar":
                self._bar()
            case "power":
                self._power(token)
            case "root":
                self._refuse_product("√")
                self.output.append("sqrt")
                self.pending_root = True
            case _:
                self.output.append(token)
                self.ended, self.callable = None, False

    def _value(self, kind: str, token: str) -> None:
        self._refuse_product(token)
        self.output.append(f"({token})" if self.pending_root else token)
        self.ended = "√" + token if self.pending_root else token
        self.callable = kind == "name" and not self.pending_root
        self.pending_root = False

    def _open(self, token: str) -> None:
        if not self.callable and not self.pending_root:
            self._refuse_product("(...)" if token == "(" else token)
        self.nesting.append(token)
        self.output.append(token)
        self.ended, self.callable, self.pending_root = None, False, False

    def _close(self, token: str) -> None:
        if self.nesting and self.nesting[-1] in _BARS:
            raise self._fault("a bar | is opened and not closed")
        if self.nesting:
            self.nesting.pop()
        self.output.append(token)
        self.ended, self.callable = "(...)", False

    def _bar(self) -> None:
        if self.ended is None:
            self.output.append("(abs(" if self.pending_root else "abs(")
            self.nesting.append("√|" if self.pending_root else "|")
            self.pending_root = False
        elif self.nesting and self.nesting[-1] in _BARS:
            self.output.append(_BARS[self.nesting.pop()])
            self.ended, self.callable = "|...|", False
        else:
            raise self._fault(f"a bar | opens after {self.ended} without a sign between: write {self.ended}*|...|")

    def _power(self, token: str) -> None:
        if self.ended is None:
            raise self._fault(f"the exponent {token} stands on nothing")
        self._refuse_bare_root()
        self.output.append(f"**({token.translate(_SUPERSCRIPTS)})")
        self.ended, self.callable = f"{self.ended}{token}", False

    def _refuse_product(self, token: str) -> None:
        if self.ended is None:
            return
        self._refuse_bare_root()
        if self.ended[-1] in "⁰¹²³⁴⁵⁶⁷⁸⁹" and self.ended[0].isalpha() and token == "(...)" and len(self.ended) > 2:
            power = re.sub(r"^\w+?(?=[⁰¹²³⁴⁵⁶⁷⁸⁹⁻])", "", self.ended)
            raise self._fault(
                f"the exponent belongs behind the argument: write {self.ended[: -len(power)]}(...){power}"
            )
        raise self._fault(f"a product needs its sign: write {self.ended}*{token}")

    def _refuse_bare_root(self) -> None:
        if self.ended is not None and self.ended.startswith("√"):
            raise self._fault("how far the root reaches is not clear: write √(...)")

    def _fault(self, what: str) -> ParseError:
        return ParseError(f"activation {shown(self.text)}: {what}")
