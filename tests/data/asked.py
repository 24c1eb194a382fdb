"""What the tests of data sets ask a data set."""


def files(clip):
    """Names of the files that onset, apex and offset point at."""
    return [None if i is None else clip.frames.names[i] for i in (clip.onset, clip.apex, clip.offset)]


def by_name(dataset):
    return {clip.name: clip for clip in dataset.clips()}


def reasons(dataset, kind=None):
    return {p.clip: p.reason for p in dataset.problems if kind in (None, p.kind)}
