"""A class on one machine: the server that asks who is there, and what the teacher sees."""
