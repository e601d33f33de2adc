"""An experiment without a display: rendered to a GIF, or to one HTML file with a player."""

from itertools import repeat

from lab.view import View

__all__ = ["Recording"]

#: Frames for which a stage of slow motion stays.
HOLD = 8


class Recording:
    """Frames of an experiment, each to be drawn on the empty `figure` before the next is asked for.

    recording = Recording(figure, experiment)
    save_player(figure, "session.html", recording.draw, recording.frames(steps, every))
    """

    def __init__(self, figure, experiment):
        self.figure, self.experiment = figure, experiment

    def frames(self, steps, every, slow=1, hold=HOLD):
        """Looks: the first `slow` steps taken apart, then one look each `every` steps.

        Each stage of a step taken apart comes `hold` times, so that it can be read.
        """
        experiment = self.experiment
        experiment.measure()
        start = experiment.look("Before the first step", "G knows nothing, and D knows nothing.")
        yield from repeat(start, hold)
        for _ in range(min(slow, steps)):
            for stage in experiment.stages():
                yield from repeat(stage, hold)
        while experiment.steps < steps:
            for _ in range(min(every, steps - experiment.steps)):
                experiment.step()
            experiment.measure()
            _, kl, js = experiment.divergences[-1]
            yield experiment.look(text=f"KL {kl:.3f}, Jensen-Shannon {js:.3f} nats from the data.")

    def draw(self, look):
        """Draw a look of this experiment, made just now."""
        view = View(self.figure, self.experiment)
        view.show(look, self.experiment.history, self.experiment.divergences)
