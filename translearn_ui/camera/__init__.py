"""The camera on a page: recording photos of classes, and live answers."""
