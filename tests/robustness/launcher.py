"""Runs commands of Fleeting in processes of their own, forked from this one so that nothing is imported twice.

Reads a JSON object per line: ``arguments``, the words of the command; ``commit``, the number of the commit (a file or folder
gets its name) at which the process is killed, with ``after`` once the name is given; ``delay``, seconds after which it is
killed; ``limit``, bytes that a file may have, as if the disk were full. Answers with a line: the exit code (negative: the
signal), the number of commits and what was printed.
"""

import importlib
import json
import mmap
import os
import resource
import signal
import sys

# Everything that the commands need; none of it starts a thread.
IMPORTS = (
    *(
        "fleeting.app.cli",
        "fleeting.analysis.analyze",
        "fleeting.experiments",
        "fleeting.reports",
        "fleeting.sequences",
    ),
    *("fleeting.synthesis", "fleeting.training", "fleeting.studies", "matplotlib.figure", "pandas", "scipy.ndimage"),
    *("sklearn.model_selection", "dlib", "jinja2"),
)


def _count_commits(counter, commit, after):
    plain, done = os.replace, 0

    def replace(*arguments, **more):
        nonlocal done
        done += 1
        counter[:] = done.to_bytes(len(counter), "big")
        if done == commit and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        plain(*arguments, **more)
        if done == commit:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = replace


def _be_the_command(request, output, counter):
    os.dup2(output, 1)
    os.dup2(output, 2)
    _count_commits(counter, request.get("commit"), request.get("after", False))
    if (limit := request.get("limit")) is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    if (delay := request.get("delay")) is not None:
        # The system's own clock: it asks nobody's leave.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, delay)
    from fleeting.app.cli import main

    return main(request["arguments"])


def main():
    for name in IMPORTS:
        importlib.import_module(name)

    for line in sys.stdin:
        request = json.loads(line)
        # Neither is a file, which the limit would count for. What a command prints fits into a pipe.
        counter, (source, output) = mmap.mmap(-1, 8), os.pipe()
        child = os.fork()
        if child == 0:
            code = 70
            try:
                code = _be_the_command(request, output, counter)
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        _, status = os.waitpid(child, 0)
        os.close(output)
        with os.fdopen(source, errors="replace") as printed:
            told = printed.read()
        answer = {
            "code": os.waitstatus_to_exitcode(status),
            "commits": int.from_bytes(counter[:], "big"),
            "told": told,
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
