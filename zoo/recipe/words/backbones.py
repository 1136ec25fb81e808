"""The networks of `keras.applications` that a `backbone` stage can be. Light.

What is known of each, such as its layers and their sizes, is in `zoo/plan/backbones.json`, which
`docs/make_backbones.py` writes.
"""

from __future__ import annotations

from typing import NamedTuple


class Scaling(NamedTuple):
    """What a network does with pixels of 0 to 255: `x * scale + offset` for red, green and blue.

    Attributes:
        scale: of each channel.
        offset: of each channel.
        bgr: whether Keras's weights take blue first. Ours take red first: the first kernel is
            turned round when they are read.
    """

    scale: tuple[float, float, float]
    offset: tuple[float, float, float]
    bgr: bool = False


MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # Of ImageNet's pixels, 0 to 1.

# `keras.applications.imagenet_utils.preprocess_input`, and what networks do that rescale by
# themselves: EfficientNet, ConvNeXt, MobileNetV3.
CAFFE = Scaling((1.0, 1.0, 1.0), (-123.68, -116.779, -103.939), bgr=True)
ONE = Scaling((1 / 127.5,) * 3, (-1.0,) * 3)
ONE_OF_128 = Scaling((1 / 128.0,) * 3, (-1.0,) * 3)
TORCH = Scaling(
    (1 / (255 * STD[0]), 1 / (255 * STD[1]), 1 / (255 * STD[2])),
    (-MEAN[0] / STD[0], -MEAN[1] / STD[1], -MEAN[2] / STD[2]),
)

BACKBONES: dict[str, Scaling] = {
    "ConvNeXtTiny": TORCH,
    "ConvNeXtSmall": TORCH,
    "ConvNeXtBase": TORCH,
    "ConvNeXtLarge": TORCH,
    "ConvNeXtXLarge": TORCH,
    "DenseNet121": TORCH,
    "DenseNet169": TORCH,
    "DenseNet201": TORCH,
    "EfficientNetB0": TORCH,
    "EfficientNetB1": TORCH,
    "EfficientNetB2": TORCH,
    "EfficientNetB3": TORCH,
    "EfficientNetB4": TORCH,
    "EfficientNetB5": TORCH,
    "EfficientNetB6": TORCH,
    "EfficientNetB7": TORCH,
    "EfficientNetV2B0": TORCH,
    "EfficientNetV2B1": TORCH,
    "EfficientNetV2B2": TORCH,
    "EfficientNetV2B3": TORCH,
    "EfficientNetV2S": ONE_OF_128,
    "EfficientNetV2M": ONE_OF_128,
    "EfficientNetV2L": ONE_OF_128,
    "InceptionResNetV2": ONE,
    "InceptionV3": ONE,
    "MobileNet": ONE,
    "MobileNetV2": ONE,
    "MobileNetV3Small": ONE,
    "MobileNetV3Large": ONE,
    "NASNetMobile": ONE,
    "NASNetLarge": ONE,
    "ResNet50": CAFFE,
    "ResNet101": CAFFE,
    "ResNet152": CAFFE,
    "ResNet50V2": ONE,
    "ResNet101V2": ONE,
    "ResNet152V2": ONE,
    "VGG16": CAFFE,
    "VGG19": CAFFE,
    "Xception": ONE,
}
