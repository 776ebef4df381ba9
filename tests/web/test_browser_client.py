"""The browser's client, run by Node against a real server."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

from bestchat_server_ext.testing.script import Say, Script, ScriptTurn, Wait, write

LABEXTENSION = Path(__file__).parents[2] / "labextension"

# Marks that combine, letters outside the basic plane, families joined by invisible joiners, and
# both directions of writing.
TEXT = "e\u0301a\u0308 👩‍👩‍👧‍👦🏳️‍🌈 naïve 🇳🇴 שָׁלוֹם नमस्ते \U0001d518\U0001d52b ﷽ \r\n\t| " * 6


def compiled() -> None:
    """Compile the client and its tests, where `make` has not."""
    if not (LABEXTENSION / "node_modules").exists():
        subprocess.run(["npm", "ci"], cwd=LABEXTENSION, check=True)
    subprocess.run(["npm", "run", "--silent", "build:test"], cwd=LABEXTENSION, check=True)


def test_no_cut_of_the_line_loses_or_repeats_a_piece(jupyter: Any) -> None:
    pieces = [TEXT[at : at + 7] for at in range(0, len(TEXT), 7)]
    actions = [action for piece in pieces for action in (Say(piece, 50), Wait(0.002))]
    write(Script((ScriptTurn((tuple(actions),)),)), jupyter.folder / "scripts" / "story.json")
    compiled()
    node = shutil.which("node")
    assert node
    seed = random.randrange(2**31)
    run = subprocess.run(
        [node, "--experimental-websocket", "lib/test/test/real-server.js"],
        cwd=LABEXTENSION,
        env=os.environ
        | {
            "BESTCHAT_URL": jupyter.url,
            "BESTCHAT_TOKEN": jupyter.token,
            "BESTCHAT_SEED": str(seed),
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, f"seed {seed}\n{run.stdout}\n{run.stderr}"
    seen = json.loads(run.stdout)
    assert seen["texts"] == [TEXT], f"seed {seed}"
    assert seen["cuts"] >= 40
    assert seen["pieces"] > 10  # some of it live: a busy server bundles what it sends
