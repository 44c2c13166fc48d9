"""Ctrl-C that is not lost on the way."""

import contextlib
import signal


@contextlib.contextmanager
def lasting():
    """Yields a function that raises `KeyboardInterrupt` again if one was raised since and nobody took it.

    NumPy drops an exception that comes while it waits for an array of JAX, and a training on JAX spends most of
    its time so: without this, Ctrl-C and a polite `kill` would pass it by.
    """
    before, raised = {}, []

    def handler(number, frame):
        try:
            before[number](number, frame)
        except KeyboardInterrupt:
            raised.append(number)
            raise

    def check():
        if raised:
            raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        now = signal.getsignal(number)
        if callable(now):
            before[number] = now
            try:
                signal.signal(number, handler)
            except ValueError:  # signals reach the main thread alone, and this is another
                del before[number]
    try:
        yield check
    finally:
        for number, now in before.items():
            signal.signal(number, now)
