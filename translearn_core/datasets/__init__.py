"""Photos and their data sets: import, decode, manifest, checks, splits, demo.

One door: everything that others may use is named here. Imports without TensorFlow.
"""

from translearn_core.datasets.checks import CHECKS, Check, check_ready, warnings
from translearn_core.datasets.demo import make_demo
from translearn_core.datasets.dismissed import Dismissed, keep, read_kept, stop_keeping
from translearn_core.datasets.duplicate_groups import groups, tell_groups
from translearn_core.datasets.duplicates import groups_of
from translearn_core.datasets.editing import (
    delete_excluded,
    exclude_photos,
    last_change,
    merge_classes,
    move_photos,
    put_back,
    remove_class,
    remove_photos,
    rename_class,
    rename_dataset,
    undo,
    undo_count,
)
from translearn_core.datasets.excluded import file_of_excluded, read_excluded
from translearn_core.datasets.importing import (
    ImportReport,
    add_photos,
    add_source,
    create_dataset,
    import_files,
    import_source,
)
from translearn_core.datasets.layout import PHOTO_SUFFIXES
from translearn_core.datasets.library import Dataset, delete_dataset, list_datasets, open_dataset
from translearn_core.datasets.manifest_checks import Finding
from translearn_core.datasets.sources import Progress, allowed_folder, unpacked
from translearn_core.datasets.split import Leak, assign_splits, split_leaks
from translearn_core.datasets.unlabelled import find_unlabelled, open_unlabelled
from translearn_core.imaging.decode import (
    DECODE_VERSION,
    DecodedPhoto,
    decode_photo,
    iterate_photos,
    make_thumbnail,
)
from translearn_core.imaging.decode_pool import decode_ahead
from translearn_core.imaging.stats import PhotoStats

__all__ = [
    "CHECKS",
    "Check",
    "DECODE_VERSION",
    "Dataset",
    "DecodedPhoto",
    "Dismissed",
    "Finding",
    "ImportReport",
    "Leak",
    "PHOTO_SUFFIXES",
    "PhotoStats",
    "Progress",
    "add_photos",
    "add_source",
    "allowed_folder",
    "assign_splits",
    "check_ready",
    "create_dataset",
    "decode_ahead",
    "decode_photo",
    "delete_dataset",
    "delete_excluded",
    "exclude_photos",
    "file_of_excluded",
    "find_unlabelled",
    "groups",
    "groups_of",
    "import_files",
    "import_source",
    "iterate_photos",
    "keep",
    "last_change",
    "list_datasets",
    "make_demo",
    "make_thumbnail",
    "merge_classes",
    "move_photos",
    "open_dataset",
    "open_unlabelled",
    "put_back",
    "read_excluded",
    "read_kept",
    "remove_class",
    "remove_photos",
    "rename_class",
    "rename_dataset",
    "split_leaks",
    "stop_keeping",
    "tell_groups",
    "undo",
    "undo_count",
    "unpacked",
    "warnings",
]
