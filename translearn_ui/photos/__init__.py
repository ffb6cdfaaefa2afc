"""The parts of the Photos page: bringing photos in, overview, gallery, editing."""
