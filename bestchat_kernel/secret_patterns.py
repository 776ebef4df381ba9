"""What secrets look like in text: the one place, from which the panel's patterns are made too.

Only what Python and JavaScript both understand, in the same way, is written here. Every repetition
has an end, so that no text, whoever wrote it, takes more than its length. What stands in a group
`before` stays; the rest of what is found is the secret.
"""

from __future__ import annotations

import re

# Not every token: `pad_token` and its like are pieces of text.
_KINDS = (
    r"(?:access|admin|api|app|auth|aws|azure|bearer|bot|client|csrf|deploy|discord|gh|github|gitlab"
    r"|google|hf|hub|jupyter|jwt|login|npm|oauth|openai|personal|private|pypi|refresh|sas|secret"
    r"|service|session|slack|telegram|user|vault|web)"
)
NAME = (
    r"(?:pass(?:word|wd|phrase)|(?<!old)pwd(?!=/)|(?:admin|db|mail|root|smtp|user)[_-]?pass|secret|credential"
    r"|authorization|(?:access|account|api|auth|encryption|private|secret|shared|signing)[_-]?key"
    rf"|access[_-]?key[_-]?id|{_KINDS}[_-]?token)(?:s|[_-]?\d{{1,4}})?"
)
"""How a name ends whose value is a secret, whatever the value is."""

LONG_WORD = r"(?:(?=[^\s'\"\d]{0,99}\d)[\w.~+/=:-]{8,999}|[\w.~+/=:-]{20,999})"
"""What is no word of a language: by this, the value of what is just called `token` is a secret."""

# `x['password'] = `, `"password": `, `password: str = `, `password == `, `'password' => `
_IS = r"['\"\\]{0,3}\]?[ \t]{0,20}(?::[ \t]{0,20}\w{1,20}[ \t]{0,20}=|:=|={1,2}>?|:)"
_QUOTE = r"[bru]{0,2}(?P<quote>'''|\"\"\"|\\{0,2}['\"])"
# A text that goes on behind a name, as in `print("Password:", x)`, or that is yet to be filled in.
_NO_VALUE = r"(?![\s,;:)\]}]|\$?\{|\$\(|<|%)"
_KEYWORD = (
    r"(?!(?:any|bool|boolean|bytes|changeme|false|float|int|integer|no|none|null|number|object|off|on|optional"
    r"|required|secretstr|self|str|string|text|true|undefined|yes)\b)"
)
_END = r"(?=[\s'\",;&#)\]}<]|$)"


def _pattern(pattern: str, flags: int = re.IGNORECASE) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII | flags)


PATTERNS = (
    # Bearer 0123…, Authorization: Basic dXNlc…
    _pattern(
        r"(?P<before>\b(?:bearer|basic)\s{1,20})(?=[^\s\d]{0,99}\d)[\w.~+/=-]{12,9999}",
    ),
    _pattern(
        rf"(?P<before>\bauthorization['\"]?\s{{0,9}}[:=]\s{{0,9}}['\"]?(?:bearer|basic|digest|token)\s{{1,9}})"
        rf"{_NO_VALUE}[^\s'\",]{{4,9999}}"
    ),
    # https://user:p@ssword@host
    _pattern(
        rf"(?P<before>\b[a-z][a-z0-9+.-]{{0,19}}://[^\s/:@'\"]{{0,99}}:){_NO_VALUE}[^\s/'\"]{{1,999}}(?=@)"
    ),
    # 'password': 'x', password="x", config["api_key"] = "x", {\"password\": \"x\"}
    _pattern(
        rf"(?P<before>{NAME}{_IS}\s{{0,20}}{_QUOTE}){_NO_VALUE}"
        r"(?:(?!(?P=quote))(?:\\.|[^\\\n])){1,9999}"
    ),
    # 'password': ['x', 'y'], 'password': {0: 'x', 1: 'y'}
    _pattern(
        rf"(?P<before>{NAME}{_IS}\s{{0,20}}"
        r"(?:[\[(](?=[\[({\s\d:]{0,20}['\"])|\{(?=\s{0,9}\d{1,9}\s{0,9}:[\[({\s]{0,9}['\"])))"
        r"(?:'(?:\\.|[^'\\\n]){0,999}'|\"(?:\\.|[^\"\\\n]){0,999}\"|[^'\"\])}]){1,999}"
    ),
    # 'token': '0123abcd…', ?token=0123abcd…
    _pattern(rf"(?P<before>token{_IS}\s{{0,20}}{_QUOTE}){LONG_WORD}(?=(?P=quote))"),
    _pattern(rf"(?P<before>token{_IS}[ \t]{{0,20}})(?=[^\s\d]{{0,99}}\d)[\w~+/=-]{{12,999}}{_END}"),
    # password: hunter2, X-Api-Key: x-1
    _pattern(
        rf"(?P<before>{NAME}{_IS}[ \t]{{0,20}})(?![$*]){_NO_VALUE}(?=[^\s'\"\d]{{0,99}}\d)"
        rf"[^\s'\"()\[\]{{}},;&<>]{{6,999}}{_END}"
    ),
    # DB_PASSWORD=x, as the whole of a line
    _pattern(
        r"(?P<before>^(?:(?:arg|env|export|set)[ \t]{1,9})?[\w.-]{0,60}?"
        rf"(?:{NAME}|token)=){_KEYWORD}{_NO_VALUE}"
        r"(?![\w.]{0,60}[(\[])[^\s'\"]{4,999}(?<![,;({\[])(?=[ \t]{0,20}\r?$)",
        re.IGNORECASE | re.MULTILINE,
    ),
    # password: x, as the whole of a line
    _pattern(
        r"(?P<before>^[ \t]{0,40}(?:-[ \t]{1,9})?[\w.-]{0,60}?"
        rf"{NAME}['\"]?:[ \t]{{1,20}}){_KEYWORD}{_NO_VALUE}"
        r"(?![#|>&*!])[^\s'\",()\[\]{}]{4,999}(?=[ \t]{0,20}(?:[ \t]#[^\n]{0,200})?\r?$)",
        re.IGNORECASE | re.MULTILINE,
    ),
    # Server=x;Password=y;  host=x password=y dbname=z
    _pattern(
        rf"(?P<before>{NAME}=){_NO_VALUE}[^\s'\"(),;&]{{3,999}}(?=;|&\w|[ \t]{{1,9}}\w{{1,40}}=)"
    ),
    _pattern(
        rf"(?P<before>\w=[^\s=,()'\"]{{1,99}}[ ;&]{{1,3}}[\w-]{{0,40}}?{NAME}=){_NO_VALUE}"
        r"[^\s'\"(),;&]{3,999}(?=[\s;&'\"]|$)"
    ),
    # Known by their form.
    _pattern(
        r"-----BEGIN[ A-Z0-9]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?"
        r"(?:-----END[ A-Z0-9]{0,40}PRIVATE KEY(?: BLOCK)?-----|(?![\s\S]))",
        0,
    ),
    _pattern(r"\beyJ[\w-]{8,999}\.eyJ[\w-]{8,9999}\.[\w-]{0,9999}", 0),  # a JSON web token
    _pattern(
        r"\b(?:sk-[\w-]{16,999}"  # OpenAI, Anthropic, OpenRouter
        r"|(?:gh[opusr]|github_pat)_\w{16,999}"
        r"|glpat-[\w-]{16,999}"
        r"|(?:AKIA|ASIA)[0-9A-Z]{16}"
        r"|AIza[\w-]{30,999}"
        r"|xox[abeoprs]-[\w-]{10,999}"
        r"|(?:hf|gsk|npm|bc)_[A-Za-z0-9]{20,999}"
        r"|(?:xai|pypi)-[\w-]{20,999}"
        r"|[rs]k_(?:live|test)_\w{16,999}"  # Stripe
        r"|SG\.[\w-]{16,999}\.[\w-]{16,999})",  # SendGrid
        0,
    ),
)
