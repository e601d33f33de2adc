"""The lab: a GAN on the plane to play with, in a browser, or rendered to a file.

    settings.py     what to play, checked             words.py, scenes.py   what the reader is told
    experiment.py   the game, made of the library     mesh.py               G as a warped grid
    look.py         what there is to see              stages.py             one step taken apart
    inspection.py   what the layers do                messages.py           all this for a page
    console.py      one page's game                   server.py             pages, safely
    page/           the page: HTML, CSS, JavaScript   recording.py          without a server

The model is GAN Lab (Kahng et al. 2019, arXiv:1809.01587). Only `server.py` needs tornado.
"""

from lab.experiment import Experiment
from lab.settings import Settings

__all__ = ["Experiment", "Settings"]
