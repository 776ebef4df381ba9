"""Make what the browser's side knows of the API, from the Python side.

    python scripts/make_api_types.py            write
    python scripts/make_api_types.py --check    write nothing; fail if anything is not fresh

Five files in `labextension`: the OpenAPI document, the TypeScript types made from it, the reasons
for which the WebSocket is closed, the patterns by which secrets are left out, and samples: of all
that travels, which the compiler holds against those types (it fails where the types do not fit what
Python really sends), and of texts with and without secrets.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import msgspec
from api_samples import SAMPLES, SERVER_FRAMES
from secret_samples import NO_SECRETS, SECRETS

from bestchat_kernel.secret_patterns import PATTERNS
from bestchat_server_ext.api.closing import CLOSINGS
from bestchat_server_ext.api.openapi import document
from bestchat_server_ext.core.events import Envelope

ROOT = Path(__file__).resolve().parent.parent
LABEXTENSION = ROOT / "labextension"
GENERATOR = LABEXTENSION / "node_modules" / ".bin" / "openapi-typescript"

OPENAPI = LABEXTENSION / "src" / "api" / "openapi.json"
TYPES = LABEXTENSION / "src" / "api" / "generated.ts"
CLOSINGS_TYPES = LABEXTENSION / "src" / "api" / "closings.generated.ts"
SECRET_PATTERNS = LABEXTENSION / "src" / "conversation" / "secretPatterns.generated.ts"
FIXTURES = LABEXTENSION / "test" / "fixtures.generated.ts"

COMMAND = "python scripts/make_api_types.py"

FIXTURES_HEAD = f"""\
// Made by {COMMAND}: what Python really sends, and takes for secrets. Never edited.

import type {{ components }} from "../src/api/generated.js";
"""


def version() -> str:
    """The version in pyproject.toml: of this checkout, whatever is installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])


def openapi_text() -> str:
    """The OpenAPI document."""
    return json.dumps(document(version()), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def types_text(openapi: str) -> str:
    """The TypeScript types for a document.

    A field with a default may be missing from what is sent, in both directions; hence the option.
    """
    made = subprocess.run(  # noqa: S603 - a fixed program of our own lock file
        [GENERATOR, "--default-non-nullable=false"],
        cwd=LABEXTENSION,
        input=openapi,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if made.returncode:
        sys.exit(f"openapi-typescript failed:\n{made.stderr}")
    return made.stdout


def fixtures_text() -> str:
    """The samples as TypeScript."""
    seen: Counter[str] = Counter()
    names = [_name(sample, seen) for sample in SAMPLES]
    values = [_constant(name, sample) for name, sample in zip(names, SAMPLES, strict=True)]
    return "\n".join(
        [
            FIXTURES_HEAD,
            *values,
            _list(names[: len(SERVER_FRAMES)]),
            f"export const secrets: [string, string][] = {_unlike_keys(SECRETS)};\n",
            f"export const noSecrets: string[] = {_unlike_keys(NO_SECRETS)};\n",
        ]
    )


def closings_text() -> str:
    """Why the WebSocket is closed, as TypeScript."""
    return (
        f"// Made by {COMMAND}: why the server closes the WebSocket. Never edited.\n\n"
        f"export const CLOSINGS = {_json(CLOSINGS)} as const;\n"
    )


def secret_patterns_text() -> str:
    """What secrets look like, as regular expressions of JavaScript."""
    lines = "".join(f"  {_javascript(pattern)},\n" for pattern in PATTERNS)
    return (
        f"// Made by {COMMAND} from bestchat_kernel/secret_patterns.py. Never edited.\n\n"
        f"export const SECRET_PATTERNS: readonly RegExp[] = [\n{lines}];\n"
    )


def _javascript(pattern: re.Pattern[str]) -> str:
    source = pattern.pattern.replace("(?P<", "(?<").replace("(?P=quote)", r"\k<quote>")
    flags = ("i" if pattern.flags & re.IGNORECASE else "") + (
        "m" if pattern.flags & re.MULTILINE else ""
    )
    return f'new RegExp({json.dumps(source)}, "g{flags}")'


def _unlike_keys(samples: object) -> str:
    """Samples, written so that nobody who looks for keys finds any in the file."""
    text = _json(samples)
    for letter in "-_AJ":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _list(names: list[str]) -> str:
    lines = "".join(f"  {name},\n" for name in names)
    return f'export const serverFrames: components["schemas"]["ServerFrame"][] = [\n{lines}];\n'


def _name(sample: msgspec.Struct, seen: Counter[str]) -> str:
    kind = sample.event if isinstance(sample, Envelope) else sample
    name = type(kind).__name__
    name = name[0].lower() + name[1:]
    seen[name] += 1
    return f"{name}{seen[name]}"


def _constant(name: str, sample: msgspec.Struct) -> str:
    schema = type(sample).__name__
    return f'export const {name}: components["schemas"]["{schema}"] = {_json(sample)};\n'


def main() -> None:
    """Write the files, or compare them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="only say whether they are fresh")
    check: bool = parser.parse_args().check
    if not GENERATOR.exists():
        sys.exit("The generator is not installed: run `npm ci` in labextension.")
    openapi = openapi_text()
    wanted = {
        OPENAPI: openapi,
        TYPES: types_text(openapi),
        CLOSINGS_TYPES: closings_text(),
        SECRET_PATTERNS: secret_patterns_text(),
        FIXTURES: fixtures_text(),
    }
    stale = [path for path, text in wanted.items() if _read(path) != text]
    if check and stale:
        names = ", ".join(str(path.relative_to(ROOT)) for path in stale)
        sys.exit(f"Not fresh: {names}. Run `{COMMAND}`.")
    for path in stale:
        path.write_text(wanted[path], encoding="utf-8", newline="\n")


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    main()
