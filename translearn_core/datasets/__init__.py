"""Photos and their data sets: import, decode, manifest, checks, splits, demo.

One door: everything that others may use is named here. Imports without TensorFlow.
"""

from translearn_core.datasets.adding import ImportReport, add_photos, add_source, add_unsorted
from translearn_core.datasets.archive import ARCHIVE_TYPES
from translearn_core.datasets.checks import CHECKS, Check, found_by_checks, split_notes, warnings
from translearn_core.datasets.copy_groups import groups_of, have_copies
from translearn_core.datasets.dataset import Dataset
from translearn_core.datasets.demo import Trap, draw_traps, make_demo
from translearn_core.datasets.dismissed import Dismissed, dismiss, read_dismissed, restore_dismissed
from translearn_core.datasets.editing import (
    delete_excluded,
    exclude_photos,
    last_change,
    last_change_id,
    merge_classes,
    move_photos,
    remove_class,
    remove_photos,
    rename_class,
    rename_dataset,
    restore_excluded,
    sort_photos,
    undo,
    undo_count,
)
from translearn_core.datasets.excluded import excluded_file, read_excluded
from translearn_core.datasets.grouping import (
    FolderLevel,
    as_folders,
    class_rule,
    folder_levels,
    group_by_folders,
    means_folders,
    name_beginnings,
    named_groups,
    names_class_folders,
    set_groups,
)
from translearn_core.datasets.import_choices import ROLES, ImportChoices
from translearn_core.datasets.import_context import Progress
from translearn_core.datasets.importing import create_dataset, import_files, import_source
from translearn_core.datasets.kept_together import (
    Together,
    assign_groups,
    forget_groups,
    groups,
    together,
)
from translearn_core.datasets.library import (
    delete_dataset,
    delete_folder,
    list_datasets,
    list_unreadable_datasets,
    open_dataset,
)
from translearn_core.datasets.manifest_checks import Finding
from translearn_core.datasets.pages_and_channels import Stacks, choose_stacks, find_stacks
from translearn_core.datasets.photo_names import PHOTO_SUFFIXES
from translearn_core.datasets.photos_without_class import (
    leave_loose,
    left_out_for_good,
    read_loose,
    take_loose,
)
from translearn_core.datasets.readiness import check_ready
from translearn_core.datasets.recordings import (
    RECORDINGS,
    frame_name,
    recording_of,
    single_recordings,
)
from translearn_core.datasets.sources import allowed_folder, source_folders, unpacked
from translearn_core.datasets.split import (
    ASIDE,
    Leak,
    assign_splits,
    chained_classes,
    given_splits,
    split_leaks,
)
from translearn_core.datasets.teaching_sets import TEACHING_SETS, make_teaching_set
from translearn_core.datasets.to_sort import (
    Taken,
    ToSort,
    can_put_back,
    copy_to_sort,
    count_unsorted,
    find_to_sort,
    is_copied_to_sort,
    put_back,
    take_to_sort,
)
from translearn_core.datasets.unlabelled import find_unlabelled, open_unlabelled
from translearn_core.datasets.unsorted import NoClasses, WithUnsorted, read_unsorted
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
    "TEACHING_SETS",
    "copy_to_sort",
    "count_unsorted",
    "is_copied_to_sort",
    "make_teaching_set",
    "ARCHIVE_TYPES",
    "CHECKS",
    "DECODE_VERSION",
    "PHOTO_SUFFIXES",
    "RECORDINGS",
    "ROLES",
    "Check",
    "Dataset",
    "DecodedPhoto",
    "Dismissed",
    "Finding",
    "FolderLevel",
    "ImportChoices",
    "ImportReport",
    "Leak",
    "NoClasses",
    "PhotoStats",
    "Together",
    "Trap",
    "Progress",
    "Stacks",
    "Taken",
    "ToSort",
    "WithUnsorted",
    "add_photos",
    "add_source",
    "add_unsorted",
    "allowed_folder",
    "as_folders",
    "assign_groups",
    "ASIDE",
    "assign_splits",
    "can_put_back",
    "chained_classes",
    "check_ready",
    "class_rule",
    "choose_stacks",
    "create_dataset",
    "decode_ahead",
    "decode_photo",
    "delete_dataset",
    "delete_folder",
    "delete_excluded",
    "dismiss",
    "draw_traps",
    "exclude_photos",
    "excluded_file",
    "find_stacks",
    "find_to_sort",
    "find_unlabelled",
    "forget_groups",
    "frame_name",
    "folder_levels",
    "group_by_folders",
    "found_by_checks",
    "groups",
    "given_splits",
    "groups_of",
    "have_copies",
    "import_files",
    "import_source",
    "iterate_photos",
    "last_change",
    "last_change_id",
    "leave_loose",
    "left_out_for_good",
    "list_datasets",
    "list_unreadable_datasets",
    "make_demo",
    "make_thumbnail",
    "means_folders",
    "merge_classes",
    "move_photos",
    "name_beginnings",
    "named_groups",
    "names_class_folders",
    "open_dataset",
    "open_unlabelled",
    "put_back",
    "read_dismissed",
    "read_excluded",
    "read_loose",
    "read_unsorted",
    "recording_of",
    "remove_class",
    "remove_photos",
    "rename_class",
    "rename_dataset",
    "restore_dismissed",
    "restore_excluded",
    "set_groups",
    "sort_photos",
    "take_loose",
    "take_to_sort",
    "single_recordings",
    "source_folders",
    "split_leaks",
    "split_notes",
    "together",
    "undo",
    "undo_count",
    "unpacked",
    "warnings",
]
