"""The checker of the exercises: is it right, and if not, which mistake is it?

`exercise.py` says what an exercise consists of, `observation.py` what is looked at when a layer
runs, `diagnosis.py` names the mistake, `program.py` is the command line. What is right and wrong in
each exercise stands in `answers/`, beside this folder.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))  # for `support`, what the lessons share

from checker.program import check

__all__ = ["check"]
