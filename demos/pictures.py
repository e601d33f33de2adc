"""Draw the pictures of the course anew, and say which of those in pictures/ differ from them.

    python demos/pictures.py                  all of them: half an hour on one core
    python demos/pictures.py toy xray         those of these lessons
    python demos/pictures.py --check          replace none, only say which differ
    python demos/pictures.py --seed 1         another seed: replace none, only say what it claims

Each lesson runs in full, in a process of its own, and writes to a folder below --out. (toy and
mnist go on from a checkpoint there: a finished run is only drawn again. Remove the folder after a
change of what is learned.) A lesson whose figures do not bear out what it claims is named, and its
pictures are not replaced. On another machine training rounds differently, so that pictures differ
although the code is the same.

Each picture kept holds its captions, the lesson's constants and its metrics, as PNG metadata. (Not
lab.png, a picture of the browser, and autograd.png, which needs PyTorch: they are kept by hand.)
tests/demos/test_pictures.py compares them with today's lessons.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from support.demo import RESUMED
from support.kept import DEMOS, KEPT, PICTURES, keep, notes
from support.options import Parser, count

SAMPLES = ["--samples", "10000"]  # of mnist, for results
UNSTABLE = "seconds", "steps_per_second"  # figures that differ from run to run


def run(lesson, options):
    """The folder of a full run, and its metrics; None if it failed.

    It runs in the folder of all runs: metrics hold its arguments, and so no path of this machine.
    """
    folder, seed = options.out / f"{lesson}-{options.seed}", str(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, DEMOS / f"{lesson}.py", "--out", folder.name, "--seed", seed]
    command += ["--resume"] if lesson in RESUMED else []
    command += {
        "mnist": SAMPLES,
        "results": [f"mnist-{seed}", "widths"],
        "translation": ["--data", "inverted"],
    }.get(lesson, [])
    if subprocess.run(command, stdout=subprocess.DEVNULL, cwd=options.out).returncode:
        return folder, None
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return folder, {key: value for key, value in metrics.items() if key not in UNSTABLE}


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def difference(drawn, kept):
    """How a picture differs from the one that is kept, in words; "" if it does not."""
    if not kept.exists():
        return "new"
    new, old = notes(drawn)["Captions"], notes(kept).get("Captions", [])
    come, gone = ([t for t in a if t not in b] for a, b in ((new, old), (old, new)))
    if come or gone:
        return f"it says {come} in place of {gone}"
    return "" if np.array_equal(pixels(drawn), pixels(kept)) else "the same captions, other pixels"


def main():
    parser = Parser("pictures", __doc__)
    parser.add_argument("lessons", nargs="*", help="(default: all)")
    parser.add_argument("--check", action="store_true", help="replace no picture")
    parser.add_argument("--seed", type=count, default=0, help="of the lessons (default: 0)")
    parser.add_argument("--out", type=Path, default=Path("out", "pictures"), help="for the runs")
    options = parser.parse_args()
    unknown = set(options.lessons) - set(PICTURES)
    if unknown:
        parser.error(f"no pictures are kept of {', '.join(sorted(unknown))}")
    wrong = []
    for lesson in options.lessons or PICTURES:
        folder, metrics = run(lesson, options)
        if metrics is None:
            wrong.append(f"{lesson}: failed")
            print(wrong[-1])
            continue
        broken = [claim for claim, held in metrics.get("claims", {}).items() if not held]
        wrong += [f"{lesson}, seed {options.seed}: not borne out: {claim}" for claim in broken]
        for name, drawn in PICTURES[lesson].items():
            found = difference(folder / drawn, KEPT / name)
            print(f"{name}: {f'differs: {found}' if found else 'as it is kept'}", flush=True)
            if not (options.check or options.seed or broken):
                keep(folder / drawn, lesson, metrics, name)
    sys.exit("\n".join(wrong) or None)


if __name__ == "__main__":
    main()
