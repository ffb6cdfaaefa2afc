"""The parts of the Try it page: handing photos in and showing predictions."""
