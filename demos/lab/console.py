"""`Console`: one page's game. It takes the page's commands, trains, and makes frames.

It knows nothing of sockets or time: `server.py` calls `command` when the page has said something,
`work` while there is time to train, and `frame` when the page is ready to draw. Whatever the page
says is data: a name from `COMMANDS` and values that are checked, and never code.
"""

import time
from collections import deque
from itertools import takewhile

from lab.experiment import Experiment
from lab.inspection import flow, magnified
from lab.look import look
from lab.messages import frame, game
from lab.scenes import find_scene
from lab.settings import LIVE, Settings
from lab.stages import stages
from minigan.finite import TrainingDiverged

__all__ = ["COMMANDS", "Console"]

#: Frames between two measurements of the divergences, and between two X-rays of the layers.
MEASURE_EVERY, FLOW_EVERY = 6, 4

#: Steps per second that the page can ask for; 0 stands for as many as there is time for.
SPEEDS = (0, 1, 5, 20, 100)


class Console:
    """backend: of the experiments. settings: of the first."""

    def __init__(self, settings=None, backend="numpy"):
        self.backend, self.experiment, self.before = backend, None, None
        self.scene, self.speed, self.message, self.games = "", 0, "", 0
        self.begin(Experiment(settings, backend))

    def begin(self, experiment, scene=""):
        """Take up a game; the one before can be called back."""
        self.before = None if self.experiment is None else (self.experiment, self.scene)
        self.experiment, self.scene = experiment, scene
        self.playing, self.diverged, self.stage, self.magnifier = False, False, None, None
        self._stages, self._due, self._frames = None, 0.0, 0
        self._sent = dict.fromkeys(("losses", "divergences", "coverage"), -1)
        self._recent = deque(maxlen=20)  # (seconds, steps), for the rate
        self.games += 1
        self.changed, self.settings_changed = True, True

    # What the page says --------------------------------------------------------------------

    def command(self, message):
        """Do what the page says. ValueError, with a sentence, if it makes no sense."""
        name = message.get("do") if isinstance(message, dict) else None
        if not isinstance(name, str) or name not in COMMANDS:
            raise ValueError(f"do: expected one of {', '.join(COMMANDS)}, got {str(name)[:40]!r}")
        self.message, self.changed = "", True
        try:
            COMMANDS[name](self, message)
        except TypeError as error:  # a number where a text was expected, and the like
            raise ValueError(str(error)) from None

    def say(self, text):
        """Tell the reader something with the next frame."""
        self.message, self.changed = text, True

    def play(self, message):
        self._finish_stages()
        self.playing, self._due = True, 0.0

    def pause(self, message):
        self.playing = False

    def step(self, message):
        """One whole step, or an update of one player only."""
        moves = {"both": "step", "D": "discriminator_step", "G": "generator_step"}
        player = message.get("player", "both")
        if player not in moves:
            raise ValueError(f"player: expected one of {', '.join(moves)}, got {str(player)[:40]}")
        self.playing = False
        self._finish_stages()
        self._guarded(getattr(self.experiment, moves[player]))
        self.experiment.measure()

    def slow(self, message):
        """The next stage of a step in slow motion."""
        self.playing = False
        if self._stages is None:
            self._stages = stages(self.experiment)
        self.stage = self._guarded(lambda: next(self._stages, None))
        if self.stage is None:
            self._stages = None
            self.experiment.measure()

    def set(self, message):
        """Change what may change in the middle of a game."""
        values = message.get("settings")
        wanted = Settings.parse(
            {**self.experiment.settings.raw(), **(values if isinstance(values, dict) else {})}
        )
        changes = {name: getattr(wanted, name) for name in values or () if name in LIVE}
        if not changes:
            raise ValueError(f"settings: expected some of {', '.join(LIVE)}")
        self._finish_stages()
        self.experiment.adjust(**changes)
        self.scene, self.settings_changed = "", True

    def pace(self, message):
        """How many steps per second to make."""
        speed = message.get("speed")
        if isinstance(speed, bool) or speed not in SPEEDS:
            raise ValueError(f"speed: expected one of {SPEEDS}, got {str(speed)[:40]}")
        self.speed, self._due = speed, 0.0

    def new(self, message):
        """Another game: a scene, or settings that are changed or read from a link."""
        if "scene" in message:
            scene = find_scene(message["scene"])
            self.begin(Experiment(scene.settings, self.backend), scene.name)
            return
        values = message.get("settings")
        if not isinstance(values, dict):
            raise ValueError("settings: expected a name and a value for each")
        raw = values if message.get("whole") else {**self.experiment.settings.raw(), **values}
        self.begin(Experiment(Settings.parse(raw), self.backend))

    def again(self, message):
        """The same game from its first step."""
        self.begin(Experiment(self.experiment.settings, self.backend), self.scene)

    def undo(self, message):
        """Back to the game before the last restart, as it was left."""
        if self.before is None:
            raise ValueError("undo: no game was replaced yet")
        self.begin(*self.before)

    def magnify(self, message):
        """Show a layer with every frame; or none."""
        player, position = message.get("player"), message.get("position")
        if player is None:
            self.magnifier = None
            return
        networks = {"G": self.experiment.gan.generator, "D": self.experiment.gan.discriminator}
        whole = isinstance(position, int) and not isinstance(position, bool)
        if player not in networks or not whole:
            raise ValueError("magnify: expected a player, D or G, and the position of a layer")
        if not 0 <= position < len(networks[player].layers):
            raise ValueError(f"magnify: {player} has no layer {position}")
        self.magnifier = player, position

    # Training ------------------------------------------------------------------------------

    @property
    def waiting(self):
        """Steps of the head start that are still to be made."""
        left = self.experiment.settings.head_start - self.experiment.steps
        return 0 if self.diverged else max(0, left)

    @property
    def busy(self):
        """Whether there is training to do."""
        return self.playing or self.waiting > 0

    def work(self, seconds):
        """Train for so long, at the speed that was asked for: the number of steps made."""
        start = now = time.perf_counter()
        made = 0
        while self.busy and now - start < seconds:
            if self.speed and not self.waiting:
                if now < self._due:
                    break
                self._due = max(self._due, now - 0.1) + 1 / self.speed
            self._guarded(self.experiment.step)
            self.changed, made = True, made + 1
            now = time.perf_counter()
        return made

    def _finish_stages(self):
        """Finish a step in slow motion before anything else happens."""
        left, self._stages, self.stage = self._stages, None, None
        self._guarded(lambda: list(left or ()))

    def _guarded(self, action):
        """Do it; if training diverges, stop and say so."""
        try:
            return action()
        except TrainingDiverged as error:
            self.playing, self.diverged, self._stages = False, True, None
            self.say(f"{error}. Undo, start again, or choose smaller learning rates.")

    # Frames --------------------------------------------------------------------------------

    def messages(self):
        """What the page has to be told now: a list, empty if nothing has changed."""
        if not self.changed:
            return []
        told = []
        if self.settings_changed:
            undo = self.before is not None
            told.append(game(self.experiment, number=self.games, undo=undo, scene=self.scene))
        told.append(self._frame())
        if self.magnifier is not None:
            told.append({"kind": "layer", **magnified(self.experiment, *self.magnifier)})
        self.changed = self.settings_changed = False
        return told

    def _frame(self):
        experiment, first = self.experiment, not self._frames
        if first or (self.busy and self._frames % MEASURE_EVERY == 0):
            experiment.measure()
        told = frame(
            self.stage.look if self.stage else look(experiment),
            experiment.extent,
            rows={name: self._new_rows(name) for name in self._sent},
            stage=self.stage,
            flow=None if self.busy and self._frames % FLOW_EVERY else flow(experiment),
            playing=self.playing,
            waiting=self.waiting,
            rate=self._rate(),
            message=self.message,
        )
        self._frames += 1
        return told

    def _new_rows(self, name):
        """The rows of one of the experiment's tables that the page has not got yet."""
        rows = getattr(self.experiment, "history" if name == "losses" else name)
        new = list(takewhile(lambda row: row[0] > self._sent[name], reversed(rows)))[::-1]
        if new:
            self._sent[name] = new[-1][0]
        return new

    def _rate(self):
        """Steps per second, lately."""
        self._recent.append((time.perf_counter(), self.experiment.steps))
        (then, first), (now, last) = self._recent[0], self._recent[-1]
        return (last - first) / (now - then) if self.busy and now > then else 0.0


#: What a page can ask for.
COMMANDS = {
    name: getattr(Console, name)
    for name in ("play", "pause", "step", "slow", "set", "pace", "new", "again", "undo", "magnify")
}
