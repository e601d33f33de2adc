"""A game without a server: as one HTML file with a timeline, or as a GIF."""

from itertools import repeat
from pathlib import Path

from lab.bundle import one_page
from lab.look import look
from lab.messages import options
from lab.stages import stages
from lab.view import View
from minigan.files import replacing

__all__ = ["draw_on", "gif_frames", "record", "save_page"]

#: How many frames of a GIF each stage of slow motion is shown.
HOLD = 8

#: What is drawn outside slow motion.
ALL = "real", "fake", "verdict", "push", "mesh"


def record(console, steps, every):
    """What a page would be told: the first step in slow motion, then a frame per `every` steps."""
    experiment = console.experiment
    told = [options(), *console.messages()]
    while True:
        console.command({"do": "slow"})
        told += console.messages()
        if console.stage is None:
            break
    console.command({"do": "play"})  # so that the model is shown at work
    while experiment.steps < steps:
        for _ in range(min(every, steps - experiment.steps)):
            experiment.step()
        experiment.measure()
        console.changed = True
        told += console.messages()
    return told


def save_page(path, messages):
    """Write the page and what it is told as one HTML file, completely or not at all."""
    with replacing(path) as temporary:
        Path(temporary).write_text(one_page(messages), encoding="utf-8")


def gif_frames(experiment, steps, every, hold=HOLD):
    """The same moments for `save_animation`: what `View.show` takes. Each must be drawn before the
    next is asked for."""
    experiment.measure()
    for stage in stages(experiment):
        yield from repeat((stage.look, stage.shows, stage.title, stage.text), hold)
    while experiment.steps < steps:
        for _ in range(min(every, steps - experiment.steps)):
            experiment.step()
        experiment.measure()
        _, kl, js = experiment.divergences[-1]
        text = f"KL {kl:.3f}, Jensen-Shannon {js:.3f} nats from the data."
        yield look(experiment), ALL, f"Step {experiment.steps:,}", text


def draw_on(figure, experiment):
    """draw(frame) for the frames of `gif_frames`."""

    def draw(frame):
        View(figure, experiment).show(*frame, experiment.history, experiment.divergences)

    return draw
