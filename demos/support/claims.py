"""What a lesson claims, and whether the figures of this run bear it out."""

__all__ = ["borne_out"]


def borne_out(claims):
    """The claims (sentence -> whether it holds in this run), which are also printed, as they are.

    They go into metrics.json: pictures.py keeps no picture of a run that contradicts its lesson.
    """
    claims = {sentence: bool(held) for sentence, held in claims.items()}
    for sentence, held in claims.items():
        print(f"{sentence}: {'yes' if held else 'NOT in this run'}")
    return claims
