"""The words of the images: augmentation, preprocessing."""

from __future__ import annotations

from typing import Literal

from zoo.recipe.words.word import POSITIVE, REQUIRED, SHARE, Option, Word

FACTOR = {"ge": 0.0, "le": 1.0}
PROBABILITY = Option(float, 1.0, "Of each image to be mixed.", SHARE)
AUGMENTATIONS: dict[str, Word] = {
    "random_flip": Word(
        "Mirror each image with probability 1/2",
        options={
            "mode": Option(
                Literal["horizontal", "vertical", "horizontal_and_vertical"],
                "horizontal",
                "Which axes are mirrored, each on its own draw.",
            )
        },
    ),
    "alternating_flip": Word(
        "Mirror half of the images, drawn once, and in the next epoch the other half "
        "(Jordan 2024, airbench)"
    ),
    "random_crop": Word(
        "Pad, then cut the image size out at a place drawn for each image",
        options={
            "padding": Option(int, REQUIRED, "Pixels added on every side.", {"ge": 1}),
            "fill": Option(
                Literal["constant", "reflect"], "constant", "constant pads with 0, reflect mirrors."
            ),
        },
    ),
    "cutout": Word(
        "Blank a square at a place drawn for each image (DeVries & Taylor 2017)",
        options={
            "size": Option(int, REQUIRED, "Side of the square in pixels.", {"ge": 1}),
            "value": Option(
                int, 128, "Grey level written into it, 0 to 255.", {"ge": 0, "le": 255}
            ),
        },
    ),
    "random_erasing": Word(
        "Write noise or a grey level over a rectangle inside of some images (Zhong et al. 2020)",
        options={
            "factor": Option(float, 0.5, "Probability of each image to be changed.", SHARE),
            "scale": Option("range", (0.02, 0.33), "Area over that of the image.", SHARE),
            "aspect_ratio": Option("range", (0.3, 3.3), "Height over width.", POSITIVE),
            "fill_value": Option(
                int | None, None, "Grey level, 0 to 255; none: noise.", {"ge": 0, "le": 255}
            ),
        },
    ),
    "random_color_jitter": Word(
        "Change brightness, contrast, saturation and hue, each by an amount drawn for each image",
        options={
            "brightness_factor": Option(
                float, 0.0, "Largest change, as a share of the range.", FACTOR
            ),
            "contrast_factor": Option(
                float, 0.0, "Stretched about the mean by 1 - factor to 1 + factor.", FACTOR
            ),
            "saturation_factor": Option(
                float, 0.0, "Stretched about grey by 1 - factor to 1 + factor.", FACTOR
            ),
            "hue_factor": Option(float, 0.0, "Largest turn; 1 is half a turn.", FACTOR),
        },
    ),
    "rand_augment": Word(
        "A few of fourteen operations, drawn for each image (RandAugment, Cubuk et al. 2020)",
        options={
            "num_ops": Option(int, 2, "Operations an image.", {"ge": 1, "le": 14}),
            "factor": Option(float, 0.5, "Strength: a tenth of the paper's magnitude.", SHARE),
        },
    ),
    "mixup": Word(
        "Average each image and its label with another one of the batch (Zhang et al. 2018)",
        options={
            "alpha": Option(float, 0.2, "The share is drawn from Beta(alpha, alpha).", POSITIVE),
            "probability": PROBABILITY,
        },
    ),
    "cutmix": Word(
        "Paste a rectangle of another image of the batch; the label follows the area "
        "(Yun et al. 2019)",
        options={
            "alpha": Option(float, 1.0, "The area is drawn from Beta(alpha, alpha).", POSITIVE),
            "probability": PROBABILITY,
        },
    ),
}
MIXING = ("mixup", "cutmix")  # These change labels too.

PREPROCESSINGS: dict[str, str] = {
    "none": "x, as stored: 0 to 255",
    "scale01": "x / 255",
    "scale11": "x / 127.5 - 1",
    "mean_image": "x - mean over the training images, pixel by pixel (AlexNet)",
    "channel_mean": "x - mean over the training images, channel by channel (VGG)",
    "channel_meanstd": "(x - mean) / standard deviation, channel by channel (ResNet)",
}
