"""What the name of a folder says: a split, photos without a class, maybe no class, photos and nothing more.

Owns: the words in use, in several languages. Leaves to others: what is made of a folder of such a name
(`layout.py`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_SPLIT_WORDS = {
    "train": "train training",
    "val": "val valid validation validate dev development",
    "test": "test testing holdout heldout",
    "eval": "eval evaluation",
    "out": "pred predict prediction",
}
"""`eval` is validation beside a test, else the test; `out` are photos whose classes are asked."""
_EVERYDAY_WORDS = {
    "train": "trainings entrenamiento entraînement apprentissage treino treinamento addestramento "
    "trening eğitim обучение обучающая тренировка 训练 訓練 学習 학습 훈련",
    "val": "validierung validierungs validación validação validazione validatie walidacja doğrulama "
    "валидация 验证 驗證 検証 검증",
    "test": "tests prüfung prüf prueba pruebas teste testowy тест тестовая 测试 測試 テスト 테스트 시험",
}
"""Words that may name a class as well, where nothing else says that it is a split."""
_FILLERS = (
    "image images img imgs photo photos picture pictures pic pics data set sets split splits seg sample "
    "samples folder cropped resized original my new final daten bilder foto fotos imágenes datos données "
    "imagens dati immagini данные фото выборка 集 数据 數據 資料 图片 圖片 图像 圖像 照片 样本 データ 画像 "
    "데이터 이미지"
)
"""No word is made of others (`dataset` is `data` and `set`): else the time to match a name doubles with
each such word in it."""
_SPLIT_FILLERS = "x bild menge satz dados 用"
"""Beside the word of a split only (`X_train`, `Testmenge`): alone they may name a class."""
_PHOTO_WORDS = (
    "file files raw raws frame frames jpg jpgs jpeg jpegs png pngs originals all datensatz aufnahmen "
    "所有"
)
_MOST_LETTERS = 60
"""Longer names say neither a split nor photos."""
_UNLABELLED_WORDS = (
    "unlabelled unlabeled unsorted unclassified untagged unannotated unsup uncategorized uncategorised "
    "unassigned unidentified notlabelled notlabeled nolabel nolabels nolabelled tosort tolabel toclassify "
    "tobesorted tobelabelled tobelabeled inbox unsortiert unklassifiziert ohneklasse ohnelabel "
    "nichtzugeordnet sinclasificar sinetiquetar nonclassé nonclassés nontrié nãoclassificado "
    "nonclassificato nieposortowane неразобранное несортированные безкласса 未分类 未分類 未标注 未標註 "
    "未标记 待分类 待分類 待标注 未整理 미분류"
)
_NO_CLASS_WORDS = (
    "unknown unknowns background hintergrund unbekannt fondo desconocido inconnu 背景 未知"
)


def _letters(name: str) -> str:
    """The letters of a name, small and without accents; no digits, spaces and signs."""
    parts = unicodedata.normalize("NFKD", name.casefold())
    return unicodedata.normalize("NFC", "".join(one for one in parts if one.isalpha()))


def _any_of(words: Iterable[str]) -> str:
    """A pattern of one of the words, the longest first."""
    return "|".join(sorted(set(map(_letters, words)), key=lambda word: (-len(word), word)))


_EVERYDAY = {
    _letters(word): kind for kind, words in _EVERYDAY_WORDS.items() for word in words.split()
}
_SPLIT_OF = _EVERYDAY | {
    _letters(word): kind for kind, words in _SPLIT_WORDS.items() for word in words.split()
}
_BESIDE = _any_of([*_FILLERS.split(), *_SPLIT_FILLERS.split()])
_SPLIT_NAME = re.compile(rf"(?:{_BESIDE})*({_any_of(_SPLIT_OF)})(?:{_BESIDE})*")
_PHOTOS = re.compile(rf"(?:{_any_of([*_FILLERS.split(), *_PHOTO_WORDS.split()])})+")
_NO_CLASS = frozenset(map(_letters, _NO_CLASS_WORDS.split()))
_UNLABELLED = frozenset(map(_letters, _UNLABELLED_WORDS.split()))


def split_kind(name: str) -> str:
    """The split that a folder name stands for: train, val, test, eval or out; empty for none.

    `Train`, `training_set`, `seg_train`, `train_images`, `images-train`, `valset`, `test2017`,
    `Trainingsdaten`, `测试集`.
    """
    letters = _letters(name)
    match = _SPLIT_NAME.fullmatch(letters) if len(letters) <= _MOST_LETTERS else None
    return _SPLIT_OF[match[1]] if match else ""


def is_everyday(name: str) -> bool:
    """Whether a name of a split is one everyday word of its language, that may name a class as well:
    `prueba`, `apprentissage`; not `train`, `Trainingsdaten`, `训练集`."""
    return _letters(name) in _EVERYDAY


def names_photos(name: str) -> bool:
    """Whether a folder name only says that photos are in it, as images, photos_new or JPEGImages."""
    letters = _letters(name)
    return len(letters) <= _MOST_LETTERS and _PHOTOS.fullmatch(letters) is not None


def is_unlabelled(name: str) -> bool:
    """Whether a folder name says that its photos are not sorted into classes."""
    letters = _letters(name)
    for word in ("images", "image", "photos", "data", "set"):
        letters = letters.removesuffix(word) or letters
    return letters in _UNLABELLED or (name.startswith("_") and letters == "unknown")


def may_be_no_class(name: str) -> bool:
    letters = _letters(name)
    return letters in _NO_CLASS or letters.startswith("background")
