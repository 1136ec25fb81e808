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
# As in Keras's layers of the same names.
BILINEAR = Option(Literal["bilinear", "nearest"], "bilinear", "How pixels are read between pixels.")
FILLING = {
    "fill_mode": Option(
        Literal["reflect", "constant", "nearest", "wrap"],
        "reflect",
        "What lies beyond the image abcd: reflect dcba|abcd|dcba, constant fill_value, "
        "nearest aaaa|abcd|dddd, wrap abcd|abcd|abcd.",
    ),
    "interpolation": BILINEAR,
    "fill_value": Option(
        int, 0, "Grey level, 0 to 255, of fill_mode: constant.", {"ge": 0, "le": 255}
    ),
}
FROM_MINUS_1_TO_1 = {"ge": -1.0, "le": 1.0}
MAX_BLUR = 99  # The device computes each pixel of the window in turn.
ABOVE_MINUS_1_TO_1 = {"ge": -0.99, "le": 1.0}  # At -1 the whole image would be one point.

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
    "random_resized_crop": Word(
        "Cut out a part of random size and shape, and enlarge it to the image size "
        "(Szegedy et al. 2015; torchvision's RandomResizedCrop)",
        options={
            "scale": Option("range", (0.08, 1.0), "Area as a share of the image's.", ABOVE_0_TO_1),
            "ratio": Option("range", (0.75, 1.3333), "Width over height.", POSITIVE),
            "interpolation": BILINEAR,
        },
    ),
    "random_rotation": Word(
        "Rotate about the middle by a random angle",
        options={
            "factor": Option(
                "factor",
                REQUIRED,
                "Share of a full turn, counterclockwise; f is [-f, f].",
                FROM_MINUS_1_TO_1,
            ),
            **FILLING,
        },
    ),
    "random_translation": Word(
        "Move by a random part of the image",
        options={
            "height_factor": Option(
                "factor",
                REQUIRED,
                "Down, as a share of the height; f is [-f, f].",
                FROM_MINUS_1_TO_1,
            ),
            "width_factor": Option(
                "factor",
                REQUIRED,
                "Right, as a share of the width; f is [-f, f].",
                FROM_MINUS_1_TO_1,
            ),
            **FILLING,
        },
    ),
    "random_zoom": Word(
        "Zoom in or out about the middle by a random factor",
        options={
            "height_factor": Option(
                "factor",
                REQUIRED,
                "0.2 shows 20 % more of the height (zooms out), -0.2 shows 20 % less; f is "
                "[-f, f], at least -0.99.",
                ABOVE_MINUS_1_TO_1,
            ),
            "width_factor": Option(
                "factor?",
                None,
                "Likewise of the width; none: the height's draw, which keeps proportions.",
                ABOVE_MINUS_1_TO_1,
            ),
            **FILLING,
        },
    ),
    "random_shear": Word(
        "Slant rows and columns by random slopes, about the first pixel, in either direction",
        options={
            "x_factor": Option(
                "factor", 0.0, "Columns moved for each row down, 0 to 1.", FROM_0_TO_1
            ),
            "y_factor": Option(
                "factor", 0.0, "Rows moved for each column to the right, 0 to 1.", FROM_0_TO_1
            ),
            **FILLING,
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
    "random_brightness": Word(
        "Add a random number to all values of an image",
        options={
            "factor": Option(
                "factor", REQUIRED, "Share of the range of values; f is [-f, f].", FROM_MINUS_1_TO_1
            )
        },
    ),
    "random_contrast": Word(
        "Stretch each channel about its mean by a random factor",
        options={
            "factor": Option(
                "factor",
                REQUIRED,
                "[low, high] stretches by 1 - low to 1 + high; f is [f, f].",
                FROM_0_TO_1,
            )
        },
    ),
    "gaussian_blur": Word(
        "Blur with a Gaussian of random width",
        options={
            "kernel_size": Option(
                int, 3, "Pixels on a side of the window, odd.", {"ge": 3, "le": MAX_BLUR}
            ),
            "sigma": Option(
                "range", (0.1, 2.0), "Standard deviation in pixels.", {"ge": 0.01, "le": 1000.0}
            ),
            "factor": Option(float, 1.0, "Probability that an image is changed.", ABOVE_0_TO_1),
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
    "trivial_augment": Word(
        "Apply one of RandAugment's operations, with a random strength (TrivialAugment, wide; "
        "Mueller & Hutter 2021)",
        options={
            "interpolation": Option(
                Literal["nearest", "bilinear"], "nearest", "How pixels are read between pixels."
            ),
            "fill_value": Option(
                int, 0, "Grey level, 0 to 255, of what comes in.", {"ge": 0, "le": 255}
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
    "global_mean": "x - mean over all channels of the training images",
    "global_meanstd": "(x - mean) / standard deviation, each over all channels",
    "samplewise_mean": "x - mean of the image itself, over all channels",
    "samplewise_meanstd": "(x - mean) / standard deviation, both of the image itself and the "
    "latter at least 1 / sqrt(values), as TensorFlow's per_image_standardization",
}
