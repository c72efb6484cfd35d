"""Maps a file, touches a byte of every page of some ranges twice, and counts page faults: reads
{"path", "ranges": [[start, end], …], "cold", "readAhead"} from standard input and prints
{"pageBytes", "mapMs", "touches": [{"pages", "first", "second"}, …]}. Needs a system that counts
faults (`resource`), and for "cold" one that can forget what it holds of a file (`posix_fadvise`)."""

import json
import mmap
import os
import resource
import sys
import time

request = json.load(sys.stdin)


def faults():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_minflt + usage.ru_majflt


def touch(mapped, start, end):
    """The faults that reading one byte of every page between start and end takes."""
    first = start - start % mmap.PAGESIZE
    before = faults()
    total = 0
    for at in range(first, end, mmap.PAGESIZE):
        total += mapped[at]
    return faults() - before


with open(request["path"], "rb") as file:
    if request["cold"]:
        # Only what is on the disk already can be forgotten.
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    begin = time.perf_counter()
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    map_ms = 1000 * (time.perf_counter() - begin)
    if not request["readAhead"]:
        mapped.madvise(mmap.MADV_RANDOM)
    # Run once on other memory, so that what the loop itself needs is there before faults are counted.
    touch(bytes(1), 0, 1)
    touches = [
        {
            "pages": (end - 1) // mmap.PAGESIZE - start // mmap.PAGESIZE + 1,
            "first": touch(mapped, start, end),
            "second": touch(mapped, start, end),
        }
        for start, end in request["ranges"]
    ]
    mapped.close()

print(json.dumps({"pageBytes": mmap.PAGESIZE, "mapMs": map_ms, "touches": touches}))
