"""What is kept on disk: trees of arrays and plain values go in, and a file that is whole comes out, or none.

`checkpoint` says what is in such a file, `files` how any file is replaced in one piece, `locks` who may write in a folder.
"""
