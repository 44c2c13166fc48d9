"""What articles report: numbers to draw beside records, each with its source and how it was read.

These are others' results on others' data. Nothing here was measured by this project.

Every constant is a dictionary. `"source"` names the article, `"where"` the table or figure in it, `"read"` is
`"printed"` or `"digitized"`, and `"unit"` and `"setting"` say what the numbers are; the numbers follow under names
of their own, by variant.
"""

__all__ = ["APRELU_RECORD_16", "APRELU_STATISTIC", "APRELU_TABLE", "SHRINKAGE_GAUSSIAN", "SHRINKAGE_TABLE"]

_SHRINKAGE = "Zhao et al., Deep residual shrinkage networks for fault diagnosis (2020)"

# The shrinkage article's summary of four networks on its gearbox rig, as (mean, what stands behind the plus-minus):
# test accuracy over three kinds of noise and eleven levels, test accuracy without added noise; and training time.
SHRINKAGE_TABLE = {
    "source": _SHRINKAGE,
    "where": "section IV, the tables of average accuracies and training times",
    "read": "printed",
    "unit": "percent of the test windows; seconds of training",
    "setting": "10-fold cross-validation over windows, one training for each noise and level, NVIDIA GTX 1070",
    "noisy": {
        "convnet": (77.62, 4.22),
        "resnet": (86.25, 1.34),
        "drsn-cs": (88.55, 1.02),
        "drsn-cw": (89.57, 0.87),
    },
    "clean": {
        "convnet": (96.67, 1.60),
        "resnet": (99.54, 0.24),
        "drsn-cs": (99.65, 0.08),
        "drsn-cw": (99.70, 0.16),
    },
    "seconds": {"convnet": 962, "resnet": 978, "drsn-cs": 1585, "drsn-cw": 1511},
}

# The shrinkage article's curves of test accuracy in Gaussian noise, one training for each level.
SHRINKAGE_GAUSSIAN = {
    "source": _SHRINKAGE,
    "where": "section IV, the figure of test accuracies against the SNR, Gaussian noise",
    "read": "digitized",
    "error": 0.4,
    "unit": "percent of the test windows",
    "setting": "10-fold cross-validation over windows, one training for each level",
    "snr_db": (-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5),
    "accuracy": {
        "convnet": (64.1, 69.1, 72.1, 72.7, 79.4, 81.2, 83.8, 85.1, 85.8, 88.6, 90.5),
        "resnet": (70.3, 75.4, 78.7, 82.6, 85.8, 89.1, 90.8, 92.4, 93.3, 95.0, 95.5),
        "drsn-cs": (74.7, 78.7, 81.6, 85.6, 88.4, 91.2, 93.2, 94.2, 95.4, 96.1, 97.0),
        "drsn-cw": (76.1, 80.3, 84.5, 87.1, 88.6, 92.0, 94.0, 94.9, 95.7, 96.6, 97.5),
    },
}

_APRELU = (
    "Zhao et al., Deep residual networks with adaptively parametric rectifier linear units for fault diagnosis (2021)"
)

# The APReLU article's comparison of activations on its gearbox rig, means over its settings, in a plain network
# and in a residual one; of APReLU what stands behind the plus-minus too.
APRELU_TABLE = {
    "source": _APRELU,
    "where": "the experiments on the gearbox rig, the tables of test accuracies by activation",
    "read": "printed",
    "unit": "percent of the test windows",
    "setting": "windows of 4096 points, networks of 6, 9 and 12 units with 4 to 16 kernels, noise of 5, 3 and 1 dB",
    "convnet": {
        "sigmoid": 75.45,
        "tanh": 84.45,
        "relu": 85.39,
        "leaky_relu": 86.27,
        "prelu": 90.10,
        "aprelu": 92.68,
    },
    "resnet": {
        "sigmoid": 79.20,
        "tanh": 87.87,
        "relu": 92.24,
        "leaky_relu": 92.27,
        "prelu": 93.53,
        "aprelu": 97.51,
    },
    "spread": {"convnet": 3.51, "resnet": 0.47},
    # The worst case that it reports: the plain network of 12 units with APReLU at 1 dB, mean and spread.
    "failure": (81.34, 11.54),
}

# The APReLU article's comparison of what the small network sees of each channel.
APRELU_STATISTIC = {
    "source": _APRELU,
    "where": "the experiments on the gearbox rig, the comparison of inputs of the small network",
    "read": "printed",
    "unit": "percent of the test windows",
    "setting": "the article's gearbox rig with added noise",
    "accuracy": {
        "aprelu-mean": 92.31,
        "aprelu-positive": 95.04,
        "aprelu-negative": 94.75,
        "aprelu": 95.38,
    },
}

# The end of what the APReLU authors' CIFAR-10 program printed: the last epochs before its training was broken off.
# Training and testing used batch statistics, and the test images were the validation images.
APRELU_RECORD_16 = {
    "source": "Zhao et al., article on APReLU with Keras code, tuning record 16 (2020)",
    "where": "the output printed at the end of the article",
    "read": "printed",
    "unit": "accuracies in percent of the images; losses with the L2 penalty; seconds an epoch",
    "setting": "CIFAR-10, one run of 5000 planned epochs, tested with batch statistics after every epoch",
    "epochs": (3335, 3336, 3337, 3338, 3339, 3340, 3341, 3342, 3343, 3344, 3345),
    "loss": (0.3965, 0.3979, 0.3957, 0.3987, 0.4016, 0.3999, 0.3988, 0.3974, 0.3994, 0.3994, 0.3940),
    "accuracy": (89.39, 89.45, 89.45, 89.36, 89.28, 89.31, 89.32, 89.28, 89.40, 89.25, 89.45),
    "val_loss": (0.4183, 0.4120, 0.4194, 0.4174, 0.4162, 0.4098, 0.4134, 0.4153, 0.4135, 0.4181, 0.4138),
    "val_accuracy": (88.90, 88.92, 88.64, 88.69, 88.89, 89.24, 89.05, 88.93, 89.21, 88.90, 88.90),
    "seconds": (11, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12),
}
