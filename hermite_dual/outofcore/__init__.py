"""Work that does not fit the memory of one process: checksummed arrays on disk, and tasks on threads or on dask."""
