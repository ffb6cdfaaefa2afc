"""Photos and their data sets: import, decode, manifest, checks, splits, demo.

One door: everything that others may use is named here. Imports without TensorFlow.
"""

from translearn_core.datasets.archive import ARCHIVE_TYPES
from translearn_core.datasets.checks import CHECKS, Check, check_ready, found_by_checks, warnings
from translearn_core.datasets.demo import make_demo
from translearn_core.datasets.dismissed import Dismissed, dismiss, read_dismissed, restore_dismissed
from translearn_core.datasets.duplicate_groups import assign_groups, groups
from translearn_core.datasets.duplicates import groups_of
from translearn_core.datasets.editing import (
    delete_excluded,
    exclude_photos,
    last_change,
    merge_classes,
    move_photos,
    remove_class,
    remove_photos,
    rename_class,
    rename_dataset,
    restore_excluded,
    undo,
    undo_count,
)
from translearn_core.datasets.excluded import excluded_file, read_excluded
from translearn_core.datasets.import_choices import ROLES, ImportChoices
from translearn_core.datasets.import_context import Progress
from translearn_core.datasets.importing import (
    ImportReport,
    add_photos,
    add_source,
    create_dataset,
    import_files,
    import_source,
)
from translearn_core.datasets.library import (
    Dataset,
    delete_dataset,
    delete_folder,
    list_datasets,
    list_unreadable_datasets,
    open_dataset,
)
from translearn_core.datasets.manifest_checks import Finding
from translearn_core.datasets.photo_names import PHOTO_SUFFIXES
from translearn_core.datasets.sources import allowed_folder, unpacked
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
    "ARCHIVE_TYPES",
    "CHECKS",
    "DECODE_VERSION",
    "PHOTO_SUFFIXES",
    "ROLES",
    "Check",
    "Dataset",
    "DecodedPhoto",
    "Dismissed",
    "Finding",
    "ImportChoices",
    "ImportReport",
    "Leak",
    "PhotoStats",
    "Progress",
    "add_photos",
    "add_source",
    "allowed_folder",
    "assign_groups",
    "assign_splits",
    "check_ready",
    "create_dataset",
    "decode_ahead",
    "decode_photo",
    "delete_dataset",
    "delete_folder",
    "delete_excluded",
    "dismiss",
    "exclude_photos",
    "excluded_file",
    "find_unlabelled",
    "found_by_checks",
    "groups",
    "groups_of",
    "import_files",
    "import_source",
    "iterate_photos",
    "last_change",
    "list_datasets",
    "list_unreadable_datasets",
    "make_demo",
    "make_thumbnail",
    "merge_classes",
    "move_photos",
    "open_dataset",
    "open_unlabelled",
    "read_dismissed",
    "read_excluded",
    "remove_class",
    "remove_photos",
    "rename_class",
    "rename_dataset",
    "restore_dismissed",
    "restore_excluded",
    "split_leaks",
    "undo",
    "undo_count",
    "unpacked",
    "warnings",
]
