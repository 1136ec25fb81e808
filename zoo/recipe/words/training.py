"""Words of the `train` block: schedules, losses and class weights."""

from __future__ import annotations

from zoo.recipe.monitors import Monitor
from zoo.recipe.words.word import (
    ABOVE_0_BELOW_1,
    ANY_SIGN,
    AT_LEAST_1,
    EITHER_SIDE_OF_EPOCHS,
    EPOCHS,
    FROM_0_BELOW_1,
    FROM_0_TO_1,
    MAX_EPOCHS,
    NOT_NEGATIVE,
    POSITIVE,
    POSITIVE_EPOCHS,
    REQUIRED,
    Option,
    Word,
)

WARMUP = Option(
    float, 0.0, "Epochs in which the learning rate rises linearly to its highest.", EPOCHS
)
SCHEDULES: dict[str, Word] = {
    "constant": Word("The learning rate stays the same"),
    "step": Word(
        "The learning rate is multiplied by factor at each of the epochs",
        options={
            "at_epochs": Option(
                tuple[float, ...] | None,
                None,
                "Rising list of epochs; none: the multiples of every.",
                EITHER_SIDE_OF_EPOCHS,
            ),
            "factor": Option(float, 0.1, "Multiplier at each of them.", POSITIVE),
            "every": Option(
                float | None,
                None,
                "Epochs from one multiplication to the next, in place of at_epochs.",
                POSITIVE_EPOCHS,
            ),
            "factors": Option(
                tuple[float, ...] | None,
                None,
                "A multiplier for each of at_epochs, of the rate before it, in place of factor.",
                POSITIVE,
            ),
        },
    ),
    "reduce_on_plateau": Word(
        "The learning rate is multiplied by factor when a metric of validation stops improving",
        options={
            "factor": Option(float, 0.1, "Multiplier at each plateau.", ABOVE_0_BELOW_1),
            "patience": Option(
                int, 10, "Epochs without improvement before it.", {"ge": 1, "le": MAX_EPOCHS}
            ),
            "min_delta": Option(
                float, 1e-4, "Smallest change that counts as an improvement.", NOT_NEGATIVE
            ),
            "cooldown": Option(
                int,
                0,
                "Epochs after it that are not counted as without improvement.",
                {"ge": 0, "le": MAX_EPOCHS},
            ),
            "min_lr": Option(float, 0.0, "Learning rate below which it never goes.", NOT_NEGATIVE),
            "monitor": Option(
                Monitor | None,
                None,
                "Metric that must improve; none: that of train.monitor.",
            ),
        },
    ),
    "exponential": Word(
        "The learning rate is multiplied by factor over each epoch, a little at every step",
        options={"factor": Option(float, 0.95, "Multiplier for each epoch.", POSITIVE)},
    ),
    "polynomial": Word(
        "The learning rate falls to end_factor times itself as (1 - share of the steps)^power",
        options={
            "power": Option(float, 1.0, "Exponent; 1: a line.", POSITIVE),
            "end_factor": Option(float, 0.0, "Last learning rate over the highest.", NOT_NEGATIVE),
            "decay_epochs": Option(
                float | None, None, "Epochs of the fall; none: all.", POSITIVE_EPOCHS
            ),
            "cycle": Option(
                bool,
                False,
                "At each multiple of decay_epochs the rate rises again, to fall until the next.",
            ),
        },
    ),
    "inverse_time": Word(
        "The learning rate is divided by 1 + decay_rate * epochs / decay_epochs",
        options={
            "decay_rate": Option(
                float, REQUIRED, "Growth of the divisor in decay_epochs.", NOT_NEGATIVE
            ),
            "decay_epochs": Option(float, 1.0, "Epochs of that growth.", POSITIVE_EPOCHS),
            "staircase": Option(
                bool, False, "Change at the multiples of decay_epochs alone, not at every step."
            ),
        },
    ),
    "triangle": Word(
        "Linear from start_factor to the learning rate at peak_at, then linear to end_factor",
        options={
            "peak_at": Option(
                float,
                0.23,
                "Share of the training before the highest learning rate.",
                FROM_0_BELOW_1,
            ),
            "start_factor": Option(
                float, 0.2, "First learning rate over the highest.", NOT_NEGATIVE
            ),
            "end_factor": Option(float, 0.07, "Last learning rate over the highest.", NOT_NEGATIVE),
        },
    ),
    "cosine": Word(
        "Linear warm-up, then half a cosine down to end_factor times the learning rate "
        "(Loshchilov & Hutter 2017)",
        options={
            "warmup_epochs": WARMUP,
            "end_factor": Option(float, 0.0, "Last learning rate over the highest.", NOT_NEGATIVE),
        },
    ),
    "cosine_restarts": Word(
        "Half a cosine down to alpha times the learning rate, again and again (SGDR, Loshchilov & "
        "Hutter 2017)",
        options={
            "first_decay_epochs": Option(
                float, REQUIRED, "Epochs of the first cycle.", POSITIVE_EPOCHS
            ),
            "t_mul": Option(float, 2.0, "Length of a cycle over the one before it.", AT_LEAST_1),
            "m_mul": Option(
                float, 1.0, "First learning rate of a cycle over that of the one before.", POSITIVE
            ),
            "alpha": Option(float, 0.0, "Lowest learning rate over the highest.", FROM_0_TO_1),
        },
    ),
    "one_cycle": Word(
        "Linear rise from start_factor to the learning rate, then fall to end_factor (Smith 2018)",
        options={
            "warmup_epochs": Option(float, REQUIRED, "Epochs from the start to the peak.", EPOCHS),
            "start_factor": Option(
                float, 0.04, "First learning rate over the highest.", NOT_NEGATIVE
            ),
            "end_factor": Option(float, 0.0, "Last learning rate over the highest.", NOT_NEGATIVE),
        },
    ),
}

LOSSES: dict[str, Word] = {
    "auto": Word(
        "sigmoid for images with any number of classes, else softmax; loading writes it out"
    ),
    "softmax": Word(
        "Cross-entropy of the softmax of the logits",
        options={
            "label_smoothing": Option(
                float,
                0.0,
                "Share of the label that is spread evenly over all classes.",
                FROM_0_BELOW_1,
            )
        },
    ),
    "focal": Word(
        "Cross-entropy times alpha * (1 - p)^gamma, p the label's probability: images that are "
        "right already count less (Lin et al. 2017)",
        options={
            "gamma": Option(
                float, 2.0, "Exponent; 0: cross-entropy times alpha.", {"ge": 0.0, "le": 100.0}
            ),
            "alpha": Option(
                float,
                0.25,
                "Factor on the loss of all classes; train.class_weight is for each.",
                POSITIVE,
            ),
        },
    ),
    "sigmoid": Word(
        "Cross-entropy of each class's sigmoid, mean over the classes: for images with any number "
        "of classes (multi-label), or one class against the rest",
        options={
            "label_smoothing": Option(
                float, 0.0, "Share of each yes and no that is taken for undecided.", FROM_0_BELOW_1
            ),
            "gamma": Option(
                float,
                0.0,
                "Exponent of the focal loss, (1 - q)^gamma with q the probability of the right "
                "answer; 0: none.",
                {"ge": 0.0, "le": 100.0},
            ),
        },
    ),
    "svm": Word(
        "Weston-Watkins multiclass hinge: sum over wrong classes of max(0, s_j - s_y + margin)",
        options={"margin": Option(float, 1.0, "Lead that the right score must have.", POSITIVE)},
    ),
}

CLASS_WEIGHTS: dict[str, Word] = {
    "balanced": Word(
        "n / (classes * n of the class), n counting training images: all classes count alike. "
        "Multi-label: images without the class over those with it, for the latter"
    ),
    "values": Word(
        "A weight for each class",
        options={
            "weights": Option(
                tuple[float, ...],
                REQUIRED,
                "In the order of the class names: as in run.json; of a folder, sorted.",
                ANY_SIGN,
            )
        },
    ),
}
