"""The errors whose messages are shown to users.

Owns: the tree of these errors. Any other exception is a bug: it goes to the log with its traceback,
never to a page. `StopRequestedError` is outside the tree: it is a normal ending.

    TransLearnError          the message is a full sentence: what happened, to what, the next step
    ├── InputError           the user can fix it: exit code 2 on the command line
    │   ├── SourceError      a folder, zip or upload cannot become a data set
    │   ├── PhotoError       one file cannot be read as a photo
    │   │   ├── MissingPhotoError   there is no such file
    │   │   └── UnreachableError    what holds it does not give it: that says nothing of the photo
    │   ├── SettingsError    a setting is out of its range or does not fit the others
    │   ├── WeightsError     a backbone's weights are missing, unreachable or of the wrong shape
    │   ├── RunError         a run folder is missing, unfinished or unreadable
    │   └── ClusterError     a cluster is named that cannot be used
    ├── AccessError          nobody is signed in, or it belongs to somebody else
    ├── StorageError         the disk is full or cannot be written
    └── TrainingError        training cannot go on (memory, diverged loss)
"""

from __future__ import annotations


class TransLearnError(Exception):
    """An error whose message may be shown to the user as it is."""

    @property
    def message(self) -> str:
        """The sentence for the user."""
        return str(self.args[0]) if self.args else type(self).__name__


class InputError(TransLearnError):
    """An input is not usable; a different input fixes it."""


class SourceError(InputError):
    """A folder, zip or upload cannot become a data set."""


class PhotoError(InputError):
    """One file cannot be read as a photo. The message is the reason, without the file's name."""


class MissingPhotoError(PhotoError):
    """There is no such file: it was deleted, or its folder is not to be seen from here."""


class UnreachableError(PhotoError):
    """The disk, share or address does not give the file, which says nothing of the photo."""


class SettingsError(InputError):
    """A setting is out of its range or does not fit the others."""


class WeightsError(InputError):
    """A backbone's weights are missing, unreachable or do not fit it."""


class RunError(InputError):
    """A run folder is missing, unfinished or unreadable."""


class ClusterError(InputError):
    """A cluster is named that cannot be used: no Ray here, nobody answers, or it lets anybody in."""


class AccessError(TransLearnError):
    """Nobody is signed in, or what is asked for belongs to somebody else."""


class StorageError(TransLearnError):
    """The disk is full or cannot be written."""


class TrainingError(TransLearnError):
    """Training cannot go on."""


class StopRequestedError(Exception):
    """A stop was requested before there was a result."""
