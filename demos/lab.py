"""The lab: choose data, networks and objective, and play with a GAN while it learns.

A page opens in the browser; Python trains behind it. Play and pause, make single steps of D or of
G, or take one step apart in slow motion, with the lines of code beside it. Change learning rates
while it plays, open a layer by a click on it, draw your own data with a brush. The list of scenes
has prepared games. With --html or --gif, a game is rendered to a file instead: one step in slow
motion, then the whole run. This takes about half a minute.

What to look at:
- Blue is real, orange is generated. The background is D's verdict. The arrows show where the
  gradient of G's loss pushes each fake. The grid shows how G bends the plane of noise.
- The two divergences compare the samples with the true density, on a grid of cells.
- The picture of the model shows how large values and gradients are at each layer.

What to try:
  --scene collapse              can you save it?
  --noise-dimension 1           G is a curve: watch it try to cover the plane
  --objective minimax           raise the learning rate of D: do the arrows vanish?
  --objective wasserstein --regularizer wgan-gp     D is a landscape, not a verdict
  --data ganlab-disjoint        what lies between the modes, and why?
  --html                        one file for a web page, with a timeline

The page needs tornado: pip install -e '.[lab]'. On another machine, behind a notebook server or in
a code space: see lab/README.md.

Files: session.html or session.gif, and metrics.json, unless it is shown in a browser.
"""

import asyncio
import importlib.util
import webbrowser
from dataclasses import fields, replace
from functools import partial

# The folder demos/lab/: Python prefers a package to a file of the same name beside it (PEP 420).
from lab.console import Console
from lab.experiment import Experiment
from lab.recording import draw_on, gif_frames, record, save_page
from lab.scenes import SCENES, find_scene
from lab.settings import CHOICES, DRAWN, Settings
from minigan.plotting import picture, save_animation
from support.demo import start
from support.options import above_zero, count, positive

# %% Options: one per setting of the lab

KINDS = {int: positive, float: above_zero, str: str}
STEPS, FRAMES, HOLD = 2000, 120, 8
QUICK_STEPS, QUICK_FRAMES, QUICK_HOLD = 20, 2, 1


def add_options(parser):
    for field in fields(Settings):
        if field.name in ("points", "seed"):
            continue
        name, default = "--" + field.name.replace("_", "-"), field.default
        choices = sorted({*CHOICES[field.name]} - {DRAWN}) if field.name in CHOICES else None
        kind = count if default == 0 else KINDS[type(default)]
        parser.add_argument(name, type=kind, choices=choices, help=f"(default: {default})")
    names = [scene.name for scene in SCENES]
    parser.add_argument("--scene", choices=names, help="a prepared game; options change it")
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--html", action="store_true", help="render to session.html")
    kinds.add_argument("--gif", action="store_true", help="render to session.gif")
    server = parser.add_argument_group("options of the server")
    server.add_argument("--host", default="127.0.0.1", help="(default: 127.0.0.1, this machine)")
    server.add_argument("--port", type=count, default=0, help="(default: a free one)")
    server.add_argument(
        "--public-name", action="append", default=[], help="a proxy's name, as in the browser"
    )
    server.add_argument("--no-browser", action="store_true", help="only print the address")


def chosen(options):
    """The settings: of a scene, or the defaults, with what the command line says otherwise."""
    base = find_scene(options.scene).settings if options.scene else Settings()
    given = {f.name: getattr(options, f.name) for f in fields(Settings) if f.name != "points"}
    return replace(base, **{name: value for name, value in given.items() if value is not None})


def check(options):
    """ValueError for what does not fit; without tornado there is no page."""
    chosen(options)
    rendered = options.html or options.gif or options.quick
    if not rendered and importlib.util.find_spec("tornado") is None:
        raise ValueError(
            "the page needs tornado: install it with pip install -e '.[lab]', or render to a file "
            "with --html or --gif"
        )


options, out = start("lab", __doc__, ["session.html", "session.gif"], add_options, check)
settings = chosen(options)

# %% In the browser


async def serve():
    from lab.server import LabServer

    server = LabServer(
        partial(Console, settings, options.backend),
        host=options.host, port=options.port, public_names=options.public_name,
    )  # fmt: skip
    server.start_listening()
    print(f"The lab is open at\n\n    {server.address}\n\nCtrl-C ends it.", flush=True)
    if not options.no_browser:
        webbrowser.open(server.address)
    await asyncio.Event().wait()


if not (options.html or options.gif or options.quick):
    try:
        asyncio.run(serve())
    except KeyboardInterrupt:
        print("The lab is closed.")
    except OSError as error:
        raise SystemExit(
            f"{options.host}:{options.port}: {error.strerror}: choose another --port"
        ) from None
    raise SystemExit

# %% Without a browser: in a file

short = (QUICK_STEPS, QUICK_FRAMES, QUICK_HOLD) if options.quick else (STEPS, FRAMES, HOLD)
steps, frames, hold = options.steps or short[0], *short[1:]
every = -(-steps // frames)
if options.gif:
    name, experiment = "session.gif", Experiment(settings, options.backend)
    figure = picture(10, 6)
    moments = gif_frames(experiment, steps, every, hold)
    draw = draw_on(figure, experiment)
    save_animation(figure, out.path(name), draw, moments, seconds=0.25)
else:
    name, console = "session.html", Console(settings, options.backend)
    experiment = console.experiment
    save_page(out.path(name), record(console, steps, every))
_, kl, js = experiment.divergences[-1]
out.save_metrics(kl=kl, jensen_shannon=js, steps=experiment.steps, file=name)
print(f"{experiment.steps} steps: KL {kl:.3f}, Jensen-Shannon {js:.3f} nats. Files: {out.folder}")
