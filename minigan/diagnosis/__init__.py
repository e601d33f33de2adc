"""What is wrong with my network? Numerical gradients, X-rays of every layer, warnings."""

from minigan.diagnosis.gradcheck import GradientReport, compare_gradients, gradcheck
from minigan.diagnosis.health import TrainingWarning, watched
from minigan.diagnosis.xray import XRay, xray

__all__ = [
    "GradientReport",
    "TrainingWarning",
    "XRay",
    "compare_gradients",
    "gradcheck",
    "watched",
    "xray",
]
