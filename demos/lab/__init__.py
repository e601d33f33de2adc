"""The lab: a GAN on the plane to play with, in a window or rendered to a file.

`Settings` says what to play, `Experiment` plays it (and needs no picture for it), `View` draws it,
`Window` adds the controls, and `Recording` renders it to a file where there is no display. The
model is GAN Lab (Kahng et al. 2019, arXiv:1809.01587), which does the same in a browser.
"""

from lab.experiment import Experiment, Look
from lab.recording import Recording
from lab.settings import DATA, DRAWN, NOISES, Settings
from lab.view import View
from lab.window import Window

__all__ = [
    "DATA",
    "DRAWN",
    "NOISES",
    "Experiment",
    "Look",
    "Recording",
    "Settings",
    "View",
    "Window",
]
