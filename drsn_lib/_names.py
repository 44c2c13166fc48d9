"""What tables, charts and figures call the networks, in the order in which they stand: simple to involved."""

VARIANT_NAMES = {
    "convnet": "ConvNet",
    "resnet": "ResNet",
    "senet-textbook": "SENet, textbook",
    "senet": "SENet",
    "fixed-threshold": "fixed threshold",
    "learned-threshold": "learned threshold",
    "learned-fraction": "learned fraction",
    "drsn-cs": "DRSN-CS",
    "drsn-cw": "DRSN-CW",
    "relu": "ReLU",
    "relu-wide": "ReLU, wider",
    "relu-large": "ReLU, enlarged",
    "leaky_relu": "Leaky ReLU",
    "prelu": "PReLU",
    "aprelu-mean": "APReLU, mean",
    "aprelu-positive": "APReLU, positive",
    "aprelu-negative": "APReLU, negative",
    "aprelu": "APReLU",
    "aprelu-large": "APReLU, enlarged",
    "drsn-cw-aprelu": "DRSN-CW, APReLU",
}
