"""How long the first use of the catalogue takes, in a fresh process that has everything else.

Prints figures; asserts nothing. The goal is 20 ms, in a thread.
"""

from __future__ import annotations

import subprocess
import sys
from statistics import median

CODE = """
import time
import bestchat_server_ext.bootstrap.application  # what is loaded by then anyway
from bestchat_server_ext.core.models import ModelRef
began = time.perf_counter()
from bestchat_server_ext.adapters.catalog_file import open_catalog
catalog = open_catalog()
opened = time.perf_counter()
catalog.model(ModelRef("openai", "gpt-5-mini"))
found = time.perf_counter()
for facts in catalog.providers():
    catalog.models(facts.name)
listed = time.perf_counter()
print(1000 * (opened - began), 1000 * (found - opened), 1000 * (listed - found))
"""

WHAT = ("open both files", "then find a model", "then list all models of all providers")


def main() -> None:
    """Measure in a few processes."""
    command = [sys.executable, "-c", CODE]
    lines = [
        subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(7)
    ]
    columns = zip(*([float(number) for number in line.split()] for line in lines), strict=True)
    for what, times in zip(WHAT, columns, strict=True):
        print(f"{what:<40}{median(times):8.2f} ms")


if __name__ == "__main__":
    main()
