"""Where each shipped recipe comes from, for docs/make_gallery.py: (what it is, source, address).

A recipe without a paper or a script has no source.
"""

from __future__ import annotations

RESNET = (
    "He et al. 2016, Deep Residual Learning for Image Recognition",
    "https://arxiv.org/abs/1512.03385",
)
VGG = (
    "Simonyan & Zisserman 2015, Very Deep Convolutional Networks for Large-Scale Image Recognition",
    "https://arxiv.org/abs/1409.1556",
)
AIRBENCH = (
    "Jordan 2024, 94% on CIFAR-10 in 3.29 Seconds on a Single GPU",
    "https://arxiv.org/abs/2404.00498",
)

SOURCES: dict[str, tuple[str, str, str]] = {
    "airbench94": ("For GPUs: made to reach 94 % on CIFAR-10 in seconds", *AIRBENCH),
    "airbench94-muon": ("Its successor, with the optimizer Muon", *AIRBENCH),
    "airbench96": ("For GPUs: a larger one, made to reach 96 %", *AIRBENCH),
    "alexnet-small-bn": (
        "AlexNet for small images, with batch norm",
        "Krizhevsky et al. 2012, ImageNet Classification with Deep Convolutional Neural Networks",
        "https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks",
    ),
    "all-cnn-c": (
        "Convolutions alone: strides instead of pooling",
        "Springenberg et al. 2015, Striving for Simplicity: The All Convolutional Net",
        "https://arxiv.org/abs/1412.6806",
    ),
    "cifar10-quick": ("Three convolutions, for a first try on CIFAR-10", "", ""),
    "cs231n-two-layer": (
        "The two-layer network that the lecture babysits",
        "Stanford CS231n, lecture 6, Training Neural Networks, Part I",
        "https://cs231n.stanford.edu/",
    ),
    "cuda-convnet-bn": (
        "The small CIFAR-10 network of cuda-convnet, with batch norm",
        "Krizhevsky 2012, cuda-convnet",
        "https://code.google.com/archive/p/cuda-convnet/",
    ),
    "densenet-40-12": (
        "Each layer sees all layers before it",
        "Huang et al. 2017, Densely Connected Convolutional Networks",
        "https://arxiv.org/abs/1608.06993",
    ),
    "digits-tiny": ("Two convolutions on digits: seconds, and no download", "", ""),
    "fashion-cnn": ("Three pairs of convolutions, for Fashion-MNIST", "", ""),
    "googlenet-small": (
        "Inception modules for small images",
        "Zhang et al. 2017, Understanding deep learning requires rethinking generalization",
        "https://arxiv.org/abs/1611.03530",
    ),
    "keras-mnist-convnet": (
        "Keras's first example",
        "Keras, Simple MNIST convnet",
        "https://keras.io/examples/vision/mnist_convnet/",
    ),
    "lenet5": (
        "The classic of 1998",
        "LeCun et al. 1998, Gradient-Based Learning Applied to Document Recognition",
        "https://doi.org/10.1109/5.726791",
    ),
    "maxout-cnn": (
        "Convolutions with maxout",
        "Goodfellow et al. 2013, Maxout Networks",
        "https://arxiv.org/abs/1302.4389",
    ),
    "mlp-bn": ("No convolution: two wide layers with batch norm", "", ""),
    "mobilenet-small": (
        "Depthwise separable convolutions for small images",
        "Howard et al. 2017, MobileNets",
        "https://arxiv.org/abs/1704.04861",
    ),
    "nin": (
        "1x1 convolutions between the others",
        "Lin et al. 2014, Network In Network",
        "https://arxiv.org/abs/1312.4400",
    ),
    "resnet18": ("18 layers with residual blocks, for photographs", *RESNET),
    "resnet20": ("20 layers with residual blocks, for small images", *RESNET),
    "resnet50": ("50 layers with bottleneck blocks, for photographs", *RESNET),
    "resnet56": ("56 layers with residual blocks, for small images", *RESNET),
    "resnet9": (
        "A short residual network that trains fast",
        "Page 2019, cifar10-fast",
        "https://github.com/davidcpage/cifar10-fast",
    ),
    "senet20": (
        "ResNet-20 that weighs its channels",
        "Hu et al. 2018, Squeeze-and-Excitation Networks",
        "https://arxiv.org/abs/1709.01507",
    ),
    "tensorflow-flowers": (
        "TensorFlow's tutorial on photographs of flowers",
        "TensorFlow, Image classification",
        "https://www.tensorflow.org/tutorials/images/classification",
    ),
    "vgg11-bn": ("Eight convolutions of 3x3, with batch norm", *VGG),
    "vgg16-bn": ("Thirteen convolutions of 3x3, with batch norm", *VGG),
    "wide-resnet-28-10": (
        "A residual network ten times as wide",
        "Zagoruyko & Komodakis 2016, Wide Residual Networks",
        "https://arxiv.org/abs/1605.07146",
    ),
}
