"""How good are digits? Their score and their distance from real ones, as a classifier sees them."""

from minigan.metrics import frechet_distance, inception_score

__all__ = ["digit_scores"]


def digit_scores(classifier, sets, real):
    """name -> (score, Fréchet distance from real images), printed, too.

    sets: name -> images. real: of the training set, as many as there are images in each set: the
    distance depends on how many are compared.
    """
    _, real_features = classifier(real)
    found = {}
    for name, images in sets.items():
        probabilities, features = classifier(images)
        found[name] = inception_score(probabilities), frechet_distance(features, real_features)
        score, distance = found[name]
        print(f"{name:18}score {score:.2f} of 10, Fréchet distance {distance:.2f}")
    return found
