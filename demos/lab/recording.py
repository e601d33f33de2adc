"""`Recording`: an experiment rendered to a GIF, or to one HTML file with a player."""

from itertools import repeat

from lab.view import View

__all__ = ["Recording"]

#: How many frames each stage of slow motion is shown.
HOLD = 8


class Recording:
    """The frames of an experiment. Draw each on the empty `figure` before asking for the next.

    recording = Recording(figure, experiment)
    save_player(figure, "session.html", recording.draw, recording.frames(steps, every))
    """

    def __init__(self, figure, experiment):
        self.figure, self.experiment = figure, experiment

    def frames(self, steps, every, slow=1, hold=HOLD):
        """Looks: the first `slow` steps in stages, then one look per `every` steps.

        Each stage comes `hold` times, so that there is time to read it.
        """
        experiment = self.experiment
        experiment.measure()
        start = experiment.look(
            "Before the first step", "Neither G nor D has learned anything yet."
        )
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
        """Draw the latest look of this experiment, with the curves up to it."""
        view = View(self.figure, self.experiment)
        view.show(look, self.experiment.history, self.experiment.divergences)
