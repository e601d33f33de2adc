"""The lab: choose data, networks and objective, and play with a GAN while it learns.

With a display, a window opens. Play and pause, make single steps of D or of G, or take one step
apart in slow motion. Change the learning rates and k, the steps of D per step of G, while it
plays. Choose data "drawn" and click on the plane to draw your own. Without a display (or with
--html or --gif), the experiment is rendered to a file: one step in slow motion, then the whole
run. This takes about half a minute.

What to look at:
- Blue is real, orange is generated. The background is D's verdict. The arrows show where the
  gradient of G's loss pushes each fake. The mesh shows how G bends the plane of noise.
- The two divergences compare the samples with the true density, on a grid of cells.

What to try:
  --noise-dimension 1           G is a curve: watch it try to cover the plane
  --objective minimax           raise the learning rate of D: do the arrows vanish?
  --objective wasserstein --regularizer wgan-gp     D is a landscape, not a verdict
  --data ganlab-disjoint        what lies between the modes, and why?
  --html                        one file for a web page, with a player

Files: session.html or session.gif, and metrics.json, unless it is shown in a window.
"""

from dataclasses import fields

import matplotlib.pyplot as plt

# The folder demos/lab/: Python prefers a package to a file of the same name beside it (PEP 420).
from lab import DATA, NOISES, Experiment, Recording, Settings, Window
from minigan.objectives import OBJECTIVES
from minigan.optimizers import OPTIMIZERS
from minigan.plotting import picture, save_animation, save_player
from support.demo import start
from support.options import above_zero, positive
from support.recipes import REGULARIZERS

# %% Options: one per setting of the lab

CHOICES = {
    "data": [name for name in DATA if name != "drawn"],
    "noise": NOISES,
    "objective": OBJECTIVES,
    "regularizer": REGULARIZERS,
    "optimizer": OPTIMIZERS,
}
KINDS = {int: positive, float: above_zero, str: str}
STEPS, FRAMES, HOLD = 2000, 40, 8
QUICK_STEPS, QUICK_FRAMES, QUICK_HOLD = 20, 2, 1


def add_options(parser):
    for field in fields(Settings):
        if field.name in ("points", "seed"):
            continue
        name = "--" + field.name.replace("_", "-")
        choices = sorted(CHOICES[field.name]) if field.name in CHOICES else None
        kind, default = KINDS[type(field.default)], field.default
        parser.add_argument(
            name, type=kind, choices=choices, default=default, help=f"(default: {default})"
        )
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--html", action="store_true", help="render to session.html")
    kinds.add_argument("--gif", action="store_true", help="render to session.gif")


def check(options):
    if OBJECTIVES[options.objective].needs_constraint and options.regularizer == "none":
        raise ValueError(
            f"--objective {options.objective} needs a limit on D's slope, such as --regularizer "
            "clipping"
        )


options, out = start("lab", __doc__, ["session.html", "session.gif"], add_options, check)
chosen = {f.name: getattr(options, f.name) for f in fields(Settings) if f.name != "points"}
settings = Settings(**chosen)
experiment = Experiment(settings, options.backend)

# %% In a window, if there is a display

if not (options.html or options.gif or options.quick) and plt.get_backend().lower() != "agg":
    window = Window(plt.figure("minigan lab", figsize=(14, 8)), settings, options.backend)
    plt.show()
    raise SystemExit

# %% Without a display: in a file

short = (QUICK_STEPS, QUICK_FRAMES, QUICK_HOLD) if options.quick else (STEPS, FRAMES, HOLD)
steps, count, hold = options.steps or short[0], *short[1:]
figure = picture(10, 6)
recording = Recording(figure, experiment)
frames = recording.frames(steps, every=-(-steps // count), hold=hold)
name, save = ("session.gif", save_animation) if options.gif else ("session.html", save_player)
save(figure, out.path(name), recording.draw, frames, seconds=0.25)
_, kl, js = experiment.divergences[-1]
out.save_metrics(kl=kl, jensen_shannon=js, steps=experiment.steps, file=name)
print(f"{experiment.steps} steps: KL {kl:.3f}, Jensen-Shannon {js:.3f} nats. Files: {out.folder}")
