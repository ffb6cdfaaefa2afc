"""From the bytes of a photo to its pixels and facts: the one decode, in this process or in others.

Imports no pandas: processes that only decode start in a fifth of a second.
"""
