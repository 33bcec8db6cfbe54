"""A latency histogram of fixed size: 128 buckets per doubling, so a percentile is off by under 1 %."""

from __future__ import annotations

from lablib.kernels import tables as t
from lablib.kernels.jit import kernel


@kernel
def bucket_of(value):
    """Bucket of a non-negative value; below 256 every value has its own."""
    shift = 0
    high = value >> (t.SUB_BITS + 1)
    if high >> 32:
        shift += 32
        high >>= 32
    if high >> 16:
        shift += 16
        high >>= 16
    if high >> 8:
        shift += 8
        high >>= 8
    if high >> 4:
        shift += 4
        high >>= 4
    if high >> 2:
        shift += 2
        high >>= 2
    if high >> 1:
        shift += 1
        high >>= 1
    shift += high
    return (shift << t.SUB_BITS) + (value >> shift)


@kernel
def upper_edge(bucket):
    """Largest value that falls into a bucket."""
    if bucket < 2 << t.SUB_BITS:
        return bucket
    shift = (bucket >> t.SUB_BITS) - 1
    return ((bucket - (shift << t.SUB_BITS) + 1) << shift) - 1


@kernel
def record(histogram, value):
    """Count one value (ns); a negative one counts as 0."""
    if value < 0:
        value = 0
    histogram.count += 1
    if value > histogram.largest:
        histogram.largest = value
    histogram.buckets[bucket_of(value)] += 1
