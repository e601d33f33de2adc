"""A session without a display: rendered to a GIF, or to one HTML file with a player."""

from itertools import repeat

from minigan.lab.view import View

__all__ = ["Recording"]

#: Frames for which a stage of slow motion stays.
HOLD = 8


class Recording:
    """Frames of a session, each to be drawn on the empty `figure` before the next is asked for.

    recording = Recording(figure, session)
    save_player(figure, "session.html", recording.draw, recording.frames(steps, every))
    """

    def __init__(self, figure, session):
        self.figure, self.session = figure, session

    def frames(self, steps, every, slow=1, hold=HOLD):
        """Looks: the first `slow` steps taken apart, then one look each `every` steps.

        Each stage of a step taken apart comes `hold` times, so that it can be read.
        """
        session = self.session
        session.measure()
        start = session.look("Before the first step", "G knows nothing, and D knows nothing.")
        yield from repeat(start, hold)
        for _ in range(min(slow, steps)):
            for stage in session.stages():
                yield from repeat(stage, hold)
        while session.steps < steps:
            for _ in range(min(every, steps - session.steps)):
                session.step()
            session.measure()
            _, kl, js = session.divergences[-1]
            yield session.look(text=f"KL {kl:.3f}, Jensen-Shannon {js:.3f} nats from the data.")

    def draw(self, look):
        """Draw a look of this session, made just now."""
        view = View(self.figure, self.session)
        view.show(look, self.session.history, self.session.divergences)
