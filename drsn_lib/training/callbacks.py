"""Keras callbacks."""

import keras


class ProgressBar(keras.callbacks.Callback):
    """One line for a whole training: epochs done, time left, the last epoch's numbers.

    Keras' own bar prints a line an epoch; this one is for many short trainings in a row.

    The bar is tqdm's, so it goes to the error stream, or is a widget in a notebook.

    Example:

    >>> history = model.fit(x, y, epochs=5, verbose=0, callbacks=[ProgressBar("drsn-cw, seed 0")])

    Args:
        description: String in front of the bar.
        leave: Whether the bar stays when the training is done.
    """

    def __init__(self, description="", leave=True):
        super().__init__()
        self.description = description
        self.leave = leave
        self._bar = None

    def on_train_begin(self, logs=None):
        """Opens the bar."""
        from tqdm.auto import tqdm

        self._bar = tqdm(total=self.params.get("epochs"), desc=self.description, unit="epoch", leave=self.leave)

    def on_epoch_end(self, epoch, logs=None):
        """Moves the bar."""
        self._bar.set_postfix({key: f"{float(value):.3f}" for key, value in (logs or {}).items()})
        self._bar.update()

    def on_train_end(self, logs=None):
        """Closes the bar."""
        self._bar.close()
