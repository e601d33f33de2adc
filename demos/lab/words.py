"""What each control of the page means: a label and a sentence."""

__all__ = ["DATA_WORDS", "LABELS", "OBJECTIVE_WORDS", "REGULARIZER_WORDS"]

#: Setting -> its label and a sentence.
LABELS = {
    "data": ("Data", "Where the real samples come from."),
    "objective": ("Objective", "What the two players minimise."),
    "regularizer": ("Regularizer", "What keeps D from becoming too steep."),
    "noise": ("Noise", "The distribution of the points z that G maps to fakes."),
    "noise_dimension": ("Noise dimensions", "Numbers per point z; with 1, G is a curve."),
    "batch": ("Batch", "Samples per update."),
    "head_start": ("Head start", "Steps that are trained before the game is shown."),
    "seed": ("Seed", "Of all randomness: the same seed is the same game."),
    "generator_lr": ("Learning rate", "How far each update of G moves its weights."),
    "discriminator_lr": ("Learning rate", "How far each update of D moves its weights."),
    "generator_steps": ("Updates per step", "Of G, in each step of the game."),
    "discriminator_steps": ("Updates per step", "Of D, in each step of the game: k in the paper."),
    "generator_optimizer": ("Optimizer", "How G's gradients become updates."),
    "discriminator_optimizer": ("Optimizer", "How D's gradients become updates."),
    "generator_layers": ("Hidden layers", "Of G."),
    "discriminator_layers": ("Hidden layers", "Of D."),
    "generator_width": ("Units per layer", "Of each hidden layer of G."),
    "discriminator_width": ("Units per layer", "Of each hidden layer of D."),
}

DATA_WORDS = {
    "ring": "Eight narrow Gaussians on a circle.",
    "grid": "25 narrow Gaussians in a square.",
    "drawn": "What you draw with the brush.",
    "ganlab-line": "GAN Lab's line.",
    "ganlab-gaussians": "GAN Lab's two Gaussians.",
    "ganlab-ring": "GAN Lab's ring.",
    "ganlab-disjoint": "GAN Lab's three separate Gaussians.",
}

OBJECTIVE_WORDS = {
    "minimax": "The game of the first paper: G's gradient vanishes when D is sure.",
    "non-saturating": "The usual choice: G's gradient is largest when D is sure.",
    "wasserstein": "D is a critic, whose height estimates a distance. It needs a regularizer.",
    "maximum-likelihood": "G's gradient is that of maximum likelihood, but noisy.",
    "absolute-error": "D counts mistakes: bounded losses, gradients that vanish.",
    "least-squares": "D's output is pulled to 1 and 0, not beyond.",
    "hinge": "D loses interest in samples beyond a margin.",
    "relativistic": "D says which of a real and a fake sample is the real one.",
    "relativistic-average": "The same, beside the mean of the others.",
    "kl": "f-GAN: KL(data ‖ fakes), which punishes what is missed.",
    "reverse-kl": "f-GAN: KL(fakes ‖ data), which punishes stray fakes.",
    "pearson": "f-GAN: Pearson's χ².",
    "squared-hellinger": "f-GAN: squared Hellinger distance.",
}

REGULARIZER_WORDS = {
    "none": "Nothing keeps D in bounds.",
    "clipping": "Every weight of D is clipped to ±0.3 after each update.",
    "wgan-gp": "D's slope between real and fake is pulled to 1.",
    "one-sided": "D's slope between real and fake is kept below 1.",
    "dragan": "D's slope near the real samples is pulled to 1.",
    "r1": "D is kept flat at the real samples.",
    "r2": "D is kept flat at the fakes.",
    "no-leash": "A clipping so wide that it is never reached: for seeing what goes wrong.",
}
