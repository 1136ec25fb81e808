"""Words of `train.optimizer`."""

from __future__ import annotations

from zoo.recipe.words.word import (
    ABOVE_0_BELOW_1,
    FROM_0_BELOW_1,
    NEGATIVE,
    NOT_NEGATIVE,
    POSITIVE,
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
    "Adadelta": Word(
        "Steps in proportion to a running root mean square of past steps over that of gradients "
        "(Zeiler 2012, whose learning rate is 1)",
        "Adadelta",
        {
            "learning_rate": Option(float, 0.001, LEARNING_RATE, POSITIVE),
            "rho": Option(float, 0.95, "Decay of both mean squares.", FROM_0_BELOW_1),
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
