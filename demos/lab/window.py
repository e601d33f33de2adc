"""`Window`: the lab's controls around a `View`, for any of matplotlib's interactive backends.

A click changes the settings and starts a new experiment; only the learning rates and k change in
mid-game. If settings do not fit each other (a Wasserstein critic without a regularizer, say), the
window says so, and the game goes on as it was.
"""

import math
import time
from dataclasses import replace

from matplotlib.widgets import Button, RadioButtons, Slider

from lab.experiment import Experiment
from lab.settings import DATA, DRAWN, NOISES
from lab.view import View
from minigan.finite import TrainingDiverged
from minigan.objectives import OBJECTIVES
from minigan.optimizers import OPTIMIZERS
from minigan.plotting.style import FAKE, PAPER, styled
from support.recipes import REGULARIZERS

__all__ = ["Window"]

#: Share of the figure's width for the controls; seconds of training between two pictures.
LEFT, BURST = 0.31, 0.05

#: Pictures between two measurements of the divergences, which take some milliseconds.
MEASURE_EVERY = 4

CHOICES = {
    "data": DATA,
    "objective": tuple(OBJECTIVES),
    "regularizer": tuple(REGULARIZERS),
    "optimizer": tuple(OPTIMIZERS),
    "noise": tuple(NOISES),
}

#: Name -> label, lowest, highest; exponents of ten for the learning rates.
SLIDERS = {
    "discriminator_lr": ("lr of D, 10^", -5, 0),
    "generator_lr": ("lr of G, 10^", -5, 0),
    "discriminator_steps": ("k, D's steps", 1, 5),
    "layers": ("hidden layers", 1, 4),
    "noise_dimension": ("noise dims", 1, 4),
}

BUTTONS = {
    "Play / pause": ("space", "toggle"),
    "One step": ("right", "step"),
    "Only D": ("d", "discriminator_step"),
    "Only G": ("g", "generator_step"),
    "Slow motion": ("m", "next_stage"),
    "Start again": ("r", "restart"),
}

HELP = "keys: space plays, → one step, d, g, m slow motion, r starts again"


class Window:
    """figure: empty, about 14 × 8 inches. settings: those at the start."""

    @styled
    def __init__(self, figure, settings=None, backend="numpy"):
        self.figure, self.backend = figure, backend
        self.experiment = Experiment(settings, backend)
        self.playing, self._pictures, self._stages, self._points = False, 0, None, []
        self.view = View(figure, self.experiment, LEFT)
        self.choices = self._make_choices()
        self.sliders = self._make_sliders()
        self.buttons = self._make_buttons()
        figure.text(0.012, 0.012, HELP, size=9)
        self.message = figure.text(LEFT + 0.05, 0.012, "", size=10, color=FAKE, weight="bold")
        if figure.canvas.manager is not None:  # its own keys (g: a grid, r: home) would interfere
            figure.canvas.mpl_disconnect(figure.canvas.manager.key_press_handler_id)
        figure.canvas.mpl_connect("button_press_event", self._on_click)
        figure.canvas.mpl_connect("key_press_event", self._on_key)
        self._timer = figure.canvas.new_timer(interval=20)
        self._timer.add_callback(self.tick)
        self.show()

    # What the buttons do -------------------------------------------------------------------

    def toggle(self):
        """Play, or pause."""
        self._finish_stages()
        self.say("")
        self.playing = not self.playing
        (self._timer.start if self.playing else self._timer.stop)()

    def tick(self):
        """Train for a moment, then draw. The timer calls this while the game plays."""
        if not self.playing:
            return
        deadline = time.perf_counter() + BURST
        self._guard(self.experiment.step)
        while self.playing and time.perf_counter() < deadline:
            self._guard(self.experiment.step)
        self._pictures += 1
        if self.playing and self._pictures % MEASURE_EVERY == 0:
            self.experiment.measure()
        self.show()

    def step(self):
        self._move(self.experiment.step)

    def discriminator_step(self):
        self._move(self.experiment.discriminator_step)

    def generator_step(self):
        self._move(self.experiment.generator_step)

    def next_stage(self):
        """The next stage of a step in slow motion."""
        self._pause()
        if self._stages is None:
            self._stages = self.experiment.stages()
        look = self._guard(lambda: next(self._stages, None))
        if look is None:
            self._stages = None
        self.show(look)

    def restart(self):
        """Start again with the same settings."""
        self.change()

    def change(self, **settings):
        """Start again with changed settings; if they do not fit, say why and change nothing."""
        self._pause()
        try:
            experiment = Experiment(replace(self.experiment.settings, **settings), self.backend)
        except ValueError as error:
            self.say(str(error))
            return False
        self.experiment, self._stages = experiment, None
        self.view.show_experiment(experiment)
        self.say("")
        self.show()
        return True

    def show(self, look=None):
        """Draw a look (None: what there is to see now)."""
        experiment = self.experiment
        self.view.show(look or experiment.look(), experiment.history, experiment.divergences)
        self.figure.canvas.draw_idle()

    def say(self, text):
        self.message.set_text(text)
        self.figure.canvas.draw_idle()

    def _move(self, action):
        self._pause()
        self._finish_stages()
        self._guard(action)
        self.experiment.measure()
        self.show()

    def _pause(self):
        if self.playing:
            self.toggle()

    def _finish_stages(self):
        """Finish a step in slow motion before anything else happens."""
        stages, self._stages = self._stages, None
        self._guard(lambda: list(stages or ()))

    def _guard(self, action):
        """Do it; if training diverges, stop and say so."""
        try:
            return action()
        except TrainingDiverged as error:
            self.playing = False
            self._timer.stop()
            self.say(str(error))

    # Points drawn with the mouse -----------------------------------------------------------

    def _on_click(self, event):
        """A click on the plane adds a point if data "drawn" is chosen."""
        if event.inaxes is not self.view.plane or self.choices["data"].value_selected != DRAWN:
            return
        if self.experiment.settings.data != DRAWN:
            x0, x1, y0, y1 = self.experiment.extent  # of the data shown before
            point = (event.xdata - x0) / (x1 - x0), (event.ydata - y0) / (y1 - y0)
        else:
            point = event.xdata, event.ydata
        self._points.append(tuple(float(v) for v in point))
        if self.change(data=DRAWN, points=tuple(self._points)):
            self.say(f"{len(self._points)} points drawn; click for more, or play")

    # Controls ------------------------------------------------------------------------------

    def _make_choices(self):
        heights = {name: 0.025 * len(values) + 0.035 for name, values in CHOICES.items()}
        columns, found = (("data", "noise"), ("objective", "regularizer", "optimizer")), {}
        for column, names in enumerate(columns):
            top = 0.985
            for name in names:
                top -= heights[name]
                axes = self.figure.add_axes(
                    (0.01 + 0.15 * column, top, 0.145, heights[name] - 0.03)
                )
                axes.set_title(name, size=10, loc="left", pad=2)
                found[name] = self._radio(axes, name)
        return found

    def _radio(self, axes, name):
        names = CHOICES[name]
        active = names.index(getattr(self.experiment.settings, name))
        radio = RadioButtons(axes, names, active, label_props={"fontsize": [9] * len(names)})
        axes.spines[:].set_visible(False)
        radio.on_clicked(lambda label: self._choose(name, label))
        return radio

    def _choose(self, name, label):
        if name == "data":
            self._points = []
            if label == DRAWN:
                self._pause()
                self.say("click on the plane to draw the data, point by point")
                return
        if label == getattr(self.experiment.settings, name):
            return
        if not self.change(**{name: label}):
            self._select(name, getattr(self.experiment.settings, name))

    def _select(self, name, label):
        """Move a radio button back without another change."""
        radio = self.choices[name]
        radio.eventson = False
        radio.set_active(CHOICES[name].index(label))
        radio.eventson = True

    def _make_sliders(self):
        found = {}
        for i, (name, (label, low, high)) in enumerate(SLIDERS.items()):
            axes = self.figure.add_axes((0.10, 0.33 - 0.036 * i, 0.16, 0.02))
            value, whole = getattr(self.experiment.settings, name), not name.endswith("_lr")
            slider = Slider(
                axes, label, low, high, valinit=value if whole else _exponent(value),
                valstep=1 if whole else 0.25, color="#999999", valfmt="%d" if whole else "%.2f",
            )  # fmt: skip
            slider.label.set_size(9)
            slider.valtext.set_size(9)
            slider.on_changed(lambda value, name=name: self._slide(name, value))
            found[name] = slider
        return found

    def _slide(self, name, value):
        if name.endswith("_lr"):
            self.experiment.adjust(**{name: 10.0**value})
        elif name == "discriminator_steps":
            self._finish_stages()
            self.experiment.adjust(discriminator_steps=round(value))
        else:
            self.change(**{name: round(value)})

    def _make_buttons(self):
        found = {}
        for i, (label, (_, action)) in enumerate(BUTTONS.items()):
            row, column = divmod(i, 3)
            axes = self.figure.add_axes((0.012 + 0.098 * column, 0.093 - 0.045 * row, 0.093, 0.038))
            button = Button(axes, label, color="#E8E8E8", hovercolor=PAPER)
            button.label.set_size(10)
            button.on_clicked(lambda event, action=action: getattr(self, action)())
            found[label] = button
        return found

    def _on_key(self, event):
        for key, action in BUTTONS.values():
            if event.key in (key, " " if key == "space" else key):
                getattr(self, action)()


def _exponent(value):
    """The nearest quarter power of ten."""
    return round(4 * math.log10(value)) / 4
