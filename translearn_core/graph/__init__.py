"""All Keras graph code: from a backbone's pixels to probabilities, and to a file.

Owns: walking a graph (`walk.py`), grouping it into blocks (`block_boundaries.py`), building a backbone
(`build.py`), cutting it and putting a model together (`assembly.py`), saving and loading
(`saving.py`), what the web process must know of a graph (`description.py`); and, without Keras, recorded
graphs (`recorded.py`, `keras_file.py`), converting (`convert.py`) and running them (`engine.py`,
`kept_engines.py`).
Leaves to others: which backbones there are (`backbones/catalog.py`) and what a person chose
(`backbones/freezing.py`), running a prefix over photos (`features/cache.py`), training
(`training/train.py`).

Every model here takes `(n, h, w, 3) float32 in [0, 255]`: pixel scaling is part of the graph.

Words: an *operation* is a node of the graph (a layer, or a bare operation such as ConvNeXt's
adds). A *cut point* is an operation that every path from input to output passes. A *block*
is a group of operations that ends in a cut point and belongs together in the architecture. *Prefix*
and *suffix* are the two sides of one cut.

The modules that build, walk, describe or save import Keras when they are imported: not for the web
process. The others import it in functions, where there is no way without.
"""
