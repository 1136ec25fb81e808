"""Words of the `train` block: optimizers, schedules, losses and class weights."""

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
    NEGATIVE,
    NOT_NEGATIVE,
    POSITIVE,
    POSITIVE_EPOCHS,
    REQUIRED,
    Option,
    Word,
)

LEARNING_RATE = "Learning rate; with a schedule, its highest."
DECAY = Option(
    float,
    0.0,
    "Decoupled weight decay of kernels: w -= learning_rate * weight_decay * w.",
    NOT_NEGATIVE,
)
BETA_1 = Option(float, 0.9, "Decay of the first moment.", FROM_0_BELOW_1)
BETA_2 = Option(float, 0.999, "Decay of the second moment.", FROM_0_BELOW_1)
EPSILON = Option(float, 1e-7, "Added to the denominator.", POSITIVE)
CLIPPING = {
    "clipnorm": Option(
        float | None, None, "Clip the gradient of each variable to this norm, or none.", POSITIVE
    ),
    "global_clipnorm": Option(
        float | None, None, "Clip all gradients together to this norm, or none.", POSITIVE
    ),
}
OPTIMIZERS: dict[str, Word] = {
    "SGD": Word(
        "Stochastic gradient descent",
        "SGD",
        {
            "learning_rate": Option(float, 0.01, LEARNING_RATE, POSITIVE),
            "momentum": Option(float, 0.0, "Share of the last update kept.", FROM_0_BELOW_1),
            "nesterov": Option(bool, False, "Nesterov's momentum (needs momentum > 0)."),
            "weight_decay": DECAY,
            **CLIPPING,
        },
    ),
    "Adam": Word(
        "Adam (Kingma & Ba 2015)",
        "Adam",
        {
            "learning_rate": Option(float, 0.001, LEARNING_RATE, POSITIVE),
            "beta_1": BETA_1,
            "beta_2": BETA_2,
            "epsilon": EPSILON,
            "weight_decay": DECAY,
            **CLIPPING,
        },
    ),
    "AdamW": Word(
        "Adam with decoupled weight decay (Loshchilov & Hutter 2019)",
        "AdamW",
        {
            "learning_rate": Option(float, 0.001, LEARNING_RATE, POSITIVE),
            "weight_decay": Option(float, 0.004, DECAY.description, NOT_NEGATIVE),
            "beta_1": BETA_1,
            "beta_2": BETA_2,
            "epsilon": EPSILON,
            **CLIPPING,
        },
    ),
    "RMSprop": Word(
        "Steps divided by a running root mean square of the gradient",
        "RMSprop",
        {
            "learning_rate": Option(float, 0.001, LEARNING_RATE, POSITIVE),
            "rho": Option(float, 0.9, "Decay of the mean square.", FROM_0_BELOW_1),
            "momentum": Option(float, 0.0, "Share of the last update kept.", FROM_0_BELOW_1),
            "epsilon": EPSILON,
            "weight_decay": DECAY,
            **CLIPPING,
        },
    ),
    "TorchSGD": Word(
        "SGD as in PyTorch: the momentum sums gradients, and a step has the present learning rate",
        options={
            "learning_rate": Option(float, 0.01, LEARNING_RATE, POSITIVE),
            "momentum": Option(float, 0.0, "Share of the gradients' sum kept.", FROM_0_BELOW_1),
            "nesterov": Option(bool, False, "Nesterov's momentum (needs momentum > 0)."),
            "weight_decay": Option(
                float,
                0.0,
                "Added to the gradient of kernels: g += weight_decay * w.",
                NOT_NEGATIVE,
            ),
            **CLIPPING,
        },
    ),
    "Adagrad": Word(
        "Steps divided by the root of the sum of squared gradients so far (Duchi et al. 2011)",
        "Adagrad",
        {
            "learning_rate": Option(float, 0.01, LEARNING_RATE, POSITIVE),
            "initial_accumulator_value": Option(
                float, 0.1, "Sum of squares at the start.", NOT_NEGATIVE
            ),
            "epsilon": EPSILON,
            "weight_decay": DECAY,
            **CLIPPING,
        },
    ),
    "Nadam": Word(
        "Adam with Nesterov's momentum (Dozat 2016)",
        "Nadam",
        {
            "learning_rate": Option(float, 0.001, LEARNING_RATE, POSITIVE),
            "beta_1": BETA_1,
            "beta_2": BETA_2,
            "epsilon": EPSILON,
            "weight_decay": DECAY,
            **CLIPPING,
        },
    ),
    "Lion": Word(
        "Steps by the sign of a momentum (Chen et al. 2023); wants a tenth of Adam's learning rate",
        "Lion",
        {
            "learning_rate": Option(float, 0.0001, LEARNING_RATE, POSITIVE),
            "beta_1": Option(float, 0.9, "Share of the momentum in a step.", ABOVE_0_BELOW_1),
            "beta_2": Option(float, 0.99, "Decay of the momentum.", FROM_0_BELOW_1),
            "weight_decay": DECAY,
            **CLIPPING,
        },
    ),
    "Lamb": Word(
        "Adam with steps in proportion to each kernel's norm, for large batches (You et al. 2020)",
        options={
            "learning_rate": Option(float, 0.001, LEARNING_RATE, POSITIVE),
            "beta_1": BETA_1,
            "beta_2": BETA_2,
            "epsilon": EPSILON,
            "weight_decay": Option(
                float,
                0.0,
                "Added to the direction of kernels: u += weight_decay * w.",
                NOT_NEGATIVE,
            ),
            **CLIPPING,
        },
    ),
    "Adafactor": Word(
        "Steps in proportion to the weights; second moments as means over rows and columns "
        "(Shazeer & Stern 2018)",
        "Adafactor",
        {
            "learning_rate": Option(
                float,
                0.001,
                "Step as a share of the weights' root mean square; with a schedule, its highest.",
                POSITIVE,
            ),
            "beta_2_decay": Option(
                float, -0.8, "The second moment's decay at step t is 1 - t^this.", NEGATIVE
            ),
            "epsilon_1": Option(float, 1e-30, "Added to squared gradients.", POSITIVE),
            "epsilon_2": Option(
                float, 1e-3, "Lowest root mean square that weights count as.", POSITIVE
            ),
            "clip_threshold": Option(
                float, 1.0, "Clip updates to this root mean square.", POSITIVE
            ),
            "weight_decay": DECAY,
            **CLIPPING,
        },
    ),
    "Muon": Word(
        "Orthogonalised momentum for kernels, as matrices; AdamW for biases, norms, the head and "
        "depthwise kernels (Jordan et al. 2024)",
        options={
            "learning_rate": Option(float, 0.001, LEARNING_RATE, POSITIVE),
            "momentum": Option(float, 0.95, "Share of the gradients' sum kept.", FROM_0_BELOW_1),
            "nesterov": Option(bool, True, "Nesterov's momentum (needs momentum > 0)."),
            "ns_steps": Option(
                int, 5, "Newton-Schulz iterations of the orthogonalisation.", {"ge": 1, "le": 100}
            ),
            "rms_rate": Option(
                float,
                0.2,
                "Root mean square of a step over the learning rate; Adam's is near 0.2.",
                POSITIVE,
            ),
            "adam_lr_ratio": Option(float, 1.0, "AdamW's learning rate over Muon's.", POSITIVE),
            "adam_beta_1": BETA_1,
            "adam_beta_2": BETA_2,
            "epsilon": EPSILON,
            "weight_decay": DECAY,
            **CLIPPING,
        },
    ),
    "MuonSGD": Word(
        "Muon for kernels, each scaled to the norm sqrt(filters) at every step; TorchSGD for "
        "biases, norms, the head and depthwise kernels (Jordan 2024, airbench94_muon)",
        options={
            "learning_rate": Option(float, 0.2, "Muon's; with a schedule, its highest.", POSITIVE),
            "momentum": Option(
                float, 0.6, "Muon's: share of the gradients' sum kept.", FROM_0_BELOW_1
            ),
            "nesterov": Option(
                bool, True, "Nesterov's momentum, in both halves (needs momentum > 0)."
            ),
            "ns_steps": Option(
                int, 3, "Newton-Schulz iterations of the orthogonalisation.", {"ge": 1, "le": 100}
            ),
            "sgd_lr_ratio": Option(float, 1.0, "SGD's learning rate over Muon's.", POSITIVE),
            "sgd_momentum": Option(
                float, 0.85, "SGD's: share of the gradients' sum kept.", FROM_0_BELOW_1
            ),
            "weight_decay": Option(
                float,
                0.0,
                "Added to the gradient of kernels that SGD updates: g += weight_decay * w.",
                NOT_NEGATIVE,
            ),
            **CLIPPING,
        },
    ),
}

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
    "svm": Word(
        "Weston-Watkins multiclass hinge: sum over wrong classes of max(0, s_j - s_y + margin)",
        options={"margin": Option(float, 1.0, "Lead that the right score must have.", POSITIVE)},
    ),
}

CLASS_WEIGHTS: dict[str, Word] = {
    "balanced": Word(
        "n / (classes * n of the class), n counting training images: all classes count alike"
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
