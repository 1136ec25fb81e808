"""The words of the images: augmentation, preprocessing."""

from __future__ import annotations

from typing import Literal

from zoo.names.word import REQUIRED, Option, Word

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
}

PREPROCESSINGS: dict[str, str] = {
    "none": "x, as stored: 0 to 255",
    "scale01": "x / 255",
    "scale11": "x / 127.5 - 1",
    "mean_image": "x - mean over the training images, pixel by pixel (AlexNet)",
    "channel_mean": "x - mean over the training images, channel by channel (VGG)",
    "channel_meanstd": "(x - mean) / standard deviation, channel by channel (ResNet)",
}
