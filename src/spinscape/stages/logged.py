"""What a stage prints, kept in its log; what goes wrong, said once."""

import logging
import sys
import traceback
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from ..errors import SpinscapeError


class _Both:
    """A text stream that writes to two: progress is seen and kept."""

    def __init__(self, first, second):
        self.streams = (first, second)

    def write(self, text):
        for stream in self.streams:
            stream.write(text)
        return len(text)

    def flush(self):
        for stream in self.streams:
            stream.flush()

    def isatty(self):
        return self.streams[0].isatty()


@contextmanager
def logged(path):
    """Run a block with its standard output in a log file; its standard error and messages there and on the terminal.

    An error that a user can cause ends the process with status 1 and its own text, without a traceback; any other
    exception goes on, its traceback in the log too.

    Parameters
    ----------
    path : str or Path
        The log file; an old one is replaced.
    """
    with Path(path).open("w", buffering=1, encoding="utf-8") as log:
        both = _Both(sys.stderr, log)
        handler, logger = logging.StreamHandler(both), logging.getLogger(__name__.partition(".")[0])
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            with redirect_stdout(log), redirect_stderr(both):
                yield
        except SpinscapeError as error:
            both.write(f"error: {error}\n")
            both.flush()
            raise SystemExit(1) from None
        except BaseException:
            traceback.print_exc(file=log)
            raise
        finally:
            logger.removeHandler(handler)
