"""Reading the labelled photos that a command names, with a bar and notes on what was read.

Owns: `import_photos` and its ways: folders and archives, a manifest, a table of labels.
Leaves to others: the import itself (`datasets`), its options (`choices.py`). Brings pandas in: not
for `--help`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from translearn_core import datasets
from translearn_core.cli.bar import Bar
from translearn_core.cli.choices import ImportOptions, with_option
from translearn_core.cli.interrupt import kept
from translearn_core.datasets import CHECKS, Dataset, label_table, table_reading
from translearn_core.datasets.photo_manifest import import_manifest, is_manifest
from translearn_core.datasets.photo_names import has_photo_suffix
from translearn_core.errors import SettingsError, SourceError
from translearn_core.i18n import _, ngettext
from translearn_core.imaging.remote import is_address


def import_photos(
    source: str,
    *,
    test_source: Path | None,
    options: ImportOptions,
    tasks: Path | None = None,
) -> Dataset:
    """Make a data set of a folder, used where it is, of an archive or of a manifest, with a bar.

    Args:
        source: a path, or the address of a manifest.
        options: a table of labels, and choices.
        tasks: a table of which all columns are learned, in place of the one of `options`.

    Raises:
        SourceError: as `datasets.import_source` and `import_with_table`.
    """
    with kept(_("Nothing was kept: the photos were still being read. They stay as they are.")):
        return _import_photos(source, test_source=test_source, options=options, tasks=tasks)


def _import_photos(
    given: str, *, test_source: Path | None, options: ImportOptions, tasks: Path | None
) -> Dataset:
    table = tasks or options.labels
    if is_manifest(given):
        beside = table or test_source
        if beside is not None:
            raise SettingsError(
                _(
                    "{manifest} gives the photos their labels and their split itself, so {file} "
                    "cannot be given beside it. Put all into one table."
                ).format(manifest=given, file=beside)
            )
        with Bar() as bar:
            dataset = import_of_manifest(given, options, check=False, bar=bar)
            for text in _left_out(dataset):
                bar.note(text)
            _tell_groups(dataset, bar)
        return dataset
    source = local_source(given)
    if table is not None:
        return import_with_table(
            source, table, options=options, test_source=test_source, several=tasks is not None
        )
    with Bar() as bar:
        dataset = import_folders(source, options, test_source=test_source, check=False, bar=bar)
        said = [*dataset.record.notices, *map(with_option, dataset.record.questions)]
        for text in (*said, *_left_out(dataset)):
            bar.note(text)
        _tell_groups(dataset, bar)
    return dataset


def local_source(source: str) -> Path:
    """The path of a folder or an archive.

    Raises:
        SourceError: it is an address.
    """
    if is_address(source):
        raise SourceError(
            _(
                "{address} is no manifest. Photos at addresses are named by a table: a CSV or Parquet "
                "file with a path or an address and a label for each photo."
            ).format(address=source)
        )
    return Path(source)


def import_of_manifest(source: str, options: ImportOptions, *, check: bool, bar: Bar) -> Dataset:
    """Make a data set of a manifest, with notes on what was read unless it is only checked.

    Raises:
        SourceError: as `photo_manifest.import_manifest`.
        SettingsError: the photos have no such groups.
    """
    result = import_manifest(
        source,
        main=options.main,
        file_column=options.file_column,
        one_hot=options.one_hot,
        group_by=options.group_by,
        choices=options.choices,
        check=check,
        progress=bar.show_progress,
    )
    said = [*result.notes, *map(with_option, result.questions)]
    for sentence in (result.summary, *(() if check else said)):
        bar.note(sentence)
    return result.dataset


def import_folders(
    source: Path,
    options: ImportOptions,
    *,
    test_source: Path | None = None,
    check: bool,
    bar: Bar,
) -> Dataset:
    """Make a data set of a folder, used where it is, or of an archive, whose folders are the classes,
    with its groups.

    Raises:
        SourceError: as `datasets.import_source`.
        SettingsError: the photos have no such groups.
    """
    by = datasets.as_folders(options.group_by) if options.group_by else ""
    choices = options.choices
    chosen_rule = choices.classes if choices is not None else ""

    def read(rule: str) -> Dataset:
        given = choices
        if rule != chosen_rule:
            given = replace(choices or datasets.ImportChoices(), classes=rule)
        return datasets.import_source(
            source,
            test_source=test_source,
            in_place=source.is_dir(),
            check=check,
            choices=given,
            progress=bar.show_progress,
        )

    dataset = read(chosen_rule or datasets.class_rule(by))
    if by and not chosen_rule and datasets.names_class_folders(dataset, by):
        dataset = read("outer")
    if by:
        datasets.group_by_folders(dataset, by)
    return dataset


def _tell_groups(dataset: Dataset, bar: Bar) -> None:
    """Note what keeps photos together, if anything does."""
    names = datasets.named_groups(dataset)
    if names is not None:
        n = len(set(names) - {""})
        bar.note(
            ngettext(
                "Photos that belong together by {by}: {n} group. No split tears it apart.",
                "Photos that belong together by {by}: {n} groups. No split tears one apart.",
                n,
            ).format(by=dataset.record.grouped_by, n=n)
        )


def _left_out(dataset: Dataset) -> list[str]:
    """What came to nothing of folders and files."""
    return [*_left_out_classes(dataset), *_left_out_files(dataset)]


def _left_out_classes(dataset: Dataset) -> list[str]:
    """What came to nothing of the folders of classes."""
    check = next(check for check in CHECKS if check.name == "lost_class")
    return [one.note for one in check.find(dataset)] if check.find is not None else []


def _left_out_files(dataset: Dataset) -> list[str]:
    """How many photos were left out while they were read, and why the first of them was."""
    left_out = dataset.left_out
    left_out = left_out[left_out["file"].map(lambda file: has_photo_suffix(str(file)))]
    if not len(left_out):
        return []
    first = left_out.iloc[0]
    return [
        ngettext(
            "{n} photo was left out: {file}: {reason}",
            "{n} photos were left out, the first: {file}: {reason}",
            len(left_out),
        ).format(n=len(left_out), file=first["file"], reason=first["reason"])
    ]


def import_with_table(
    source: Path,
    table: Path,
    *,
    options: ImportOptions,
    test_source: Path | None = None,
    several: bool = False,
    check: bool = False,
    say_notes: bool = True,
) -> Dataset:
    """Make a data set of photos and a table of labels, with a bar and a note on what was read.

    Args:
        several, check: as for `label_table.import_labelled`.
        say_notes: False where the caller shows the notes that are kept with the data set.

    Raises:
        SourceError: as `table_reading.read_table` and `label_table.import_labelled`.
        SettingsError: the photos have no such groups.
    """
    by = options.group_by
    read = table_reading.read_table(
        table,
        main=options.main,
        file_column=options.file_column,
        one_hot=options.one_hot,
        group_by=by,
    )
    with Bar() as bar:
        result = label_table.import_labelled(
            source,
            read,
            several=several,
            test_source=test_source,
            choices=options.choices,
            check=check,
            key=str(table.resolve()),
            progress=bar.show_progress,
        )
        said = [*result.notes, *map(with_option, result.questions)]
        lost = () if check else _left_out(result.dataset)
        for sentence in (result.summary, *(said if say_notes else ()), *lost):
            bar.note(sentence)
        if by and not read.groups:
            datasets.group_by_folders(result.dataset, datasets.as_folders(by))
        _tell_groups(result.dataset, bar)
    return result.dataset
