"""Words of the `data` block: augmentations and preprocessings."""

from __future__ import annotations

from typing import Literal

from zoo.recipe.words.word import (
    ABOVE_0_TO_1,
    FROM_0_TO_1,
    MAX_SIDE,
    POSITIVE,
    REQUIRED,
    Option,
    Word,
)

PROBABILITY = Option(float, 1.0, "Probability that an image is mixed.", ABOVE_0_TO_1)
AUGMENTATIONS: dict[str, Word] = {
    "random_flip": Word(
        "Mirror each image with probability 1/2",
        options={
            "mode": Option(
                Literal["horizontal", "vertical", "horizontal_and_vertical"],
                "horizontal",
                "Direction; each of two is drawn on its own.",
            )
        },
    ),
    "alternating_flip": Word(
        "Mirror a random half of the images in one epoch and the other half in the next "
        "(Jordan 2024, airbench)"
    ),
    "random_crop": Word(
        "Pad, then crop to the image size at a random place",
        options={
            "padding": Option(
                int, REQUIRED, "Pixels added on every side.", {"ge": 1, "le": MAX_SIDE}
            ),
            "fill": Option(
                Literal["constant", "reflect"],
                "constant",
                "constant pads with 0, reflect with the mirror image.",
            ),
        },
    ),
    "cutout": Word(
        "Fill a square at a random place with grey (DeVries & Taylor 2017)",
        options={
            "size": Option(
                int, REQUIRED, "Side of the square in pixels.", {"ge": 1, "le": MAX_SIDE}
            ),
            "value": Option(
                "level", 128, "Grey level, 0 to 255; mean: the training images' mean colour."
            ),
            "inside": Option(
                bool, False, "Keep the square in the image; else its middle may be any pixel."
            ),
        },
    ),
    "random_erasing": Word(
        "Fill a rectangle in some images with noise or grey (Zhong et al. 2020)",
        options={
            "factor": Option(float, 0.5, "Probability that an image is changed.", ABOVE_0_TO_1),
            "scale": Option("range", (0.02, 0.33), "Area as a share of the image's.", ABOVE_0_TO_1),
            "aspect_ratio": Option("range", (0.3, 3.3), "Height over width.", POSITIVE),
            "fill_value": Option(
                int | None, None, "Grey level, 0 to 255; none: noise.", {"ge": 0, "le": 255}
            ),
        },
    ),
    "random_color_jitter": Word(
        "Change brightness, contrast, saturation and hue by random amounts",
        options={
            "brightness_factor": Option(
                float, 0.0, "Largest change, as a share of the range of values.", FROM_0_TO_1
            ),
            "contrast_factor": Option(
                float, 0.0, "Stretch about the mean by 1 - factor to 1 + factor.", FROM_0_TO_1
            ),
            "saturation_factor": Option(
                float, 0.0, "Stretch about grey by 1 - factor to 1 + factor.", FROM_0_TO_1
            ),
            "hue_factor": Option(float, 0.0, "Largest turn; 1 is half a turn.", FROM_0_TO_1),
        },
    ),
    "rand_augment": Word(
        "Apply a few of fourteen operations, drawn at random (RandAugment, Cubuk et al. 2020)",
        options={
            "num_ops": Option(int, 2, "Operations for each image.", {"ge": 1, "le": 14}),
            "factor": Option(
                float, 0.5, "Strength: the paper's magnitude divided by 10.", ABOVE_0_TO_1
            ),
        },
    ),
    "mixup": Word(
        "Average each image and its label with another of the batch (Zhang et al. 2018)",
        options={
            "alpha": Option(
                float, 0.2, "The weight of the average is drawn from Beta(alpha, alpha).", POSITIVE
            ),
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
MIXING = ("mixup", "cutmix")  # They change labels as well.

PREPROCESSINGS: dict[str, str] = {
    "none": "x, as stored: 0 to 255",
    "scale01": "x / 255",
    "scale11": "x / 127.5 - 1",
    "mean_image": "x - mean over the training images, pixel by pixel (AlexNet)",
    "channel_mean": "x - mean over the training images, channel by channel (VGG)",
    "channel_meanstd": "(x - mean) / standard deviation, channel by channel (ResNet)",
}
