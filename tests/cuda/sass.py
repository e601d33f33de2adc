"""Machine code as text, by `pip install nvidia-cuda-nvdisasm`: what the hot loops are made of."""

import re
import subprocess
import tempfile
from collections import Counter
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

__all__ = ["disassembled", "disassembler", "loops"]

LINE = re.compile(r"\s*/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+ )?([A-Z][\w.]*)([^;]*);")


def disassembler():
    """Where pip put nvdisasm, or None."""
    try:
        listed = files("nvidia-cuda-nvdisasm") or ()
    except PackageNotFoundError:
        return None
    return next((path.locate() for path in listed if path.name == "nvdisasm"), None)


def disassembled(cubin):
    """symbol -> the lines of its machine code."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "kernels.cubin")
        path.write_bytes(cubin)
        Path(disassembler()).chmod(0o755)
        command = [disassembler(), "-c", path]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    parts = re.split(r"^\.text\.(\S+):$", text, flags=re.MULTILINE)
    return {name: body.splitlines() for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def loops(lines):
    """How often each instruction stands in each loop, and whether that holds no other loop."""
    labels, code, found = {}, [], []
    for line in lines:
        if label := re.match(r"(\.L_\w+):", line):
            labels[label[1]] = len(code)
        elif instruction := LINE.match(line):
            code.append(instruction[1].split(".")[0])
            target = re.search(r"(\.L_\w+)", instruction[2]) if code[-1] == "BRA" else None
            if target and target[1] in labels:  # backwards
                found.append((labels[target[1]], len(code)))

    def is_inner(a, b):
        return not any(a <= c and d <= b for c, d in found if (c, d) != (a, b))

    return [(Counter(code[a:b]), is_inner(a, b)) for a, b in found]
