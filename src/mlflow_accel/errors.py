"""The errors that this package raises itself.

::

    AccelError
     +-- ConfigurationError      a setting that means nothing, or settings that contradict each other
     +-- ImplementationMissing   MLFLOW_ACCEL_IMPL asks for modules that are not built
     +-- UpstreamDrift           MLFLOW_ACCEL_STRICT=1, and upstream's code is not the code that was reviewed

What a client sees is never one of these: requests are answered in upstream's words (rule 1 of the design).
"""


class AccelError(Exception):
    """Base class; the message says what was found, what is needed, and the command that mends it."""


class ConfigurationError(AccelError):
    """A setting has a value that means nothing here."""


class ImplementationMissing(AccelError):
    """The requested implementation (compiled or plain) of a module is not installed."""


class UpstreamDrift(AccelError):
    """An upstream function differs from the text that was reviewed, and strict mode is on."""
