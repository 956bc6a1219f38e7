#!/usr/bin/env python3
"""Times W1 and W2 as other frameworks do them, each with its best setting of threads.

    run.py                       every peer that is there; one row of JSON a line
    run.py --install pytorch     makes a virtual environment and installs the framework into it
    run.py --only NAME           one peer;  --here: with this interpreter's own packages

A peer is a program that reads cases from standard input, a line each:

    LOSS CONTRACTION BATCH SECONDS      such as  squared_error 1.0 100 2

and answers each with a line: the median time of a training step in microseconds.
"""
import argparse
import itertools
import json
import os
import pathlib
import subprocess
import sys
import venv

HERE = pathlib.Path(__file__).resolve().parent
LOSSES = {"squared_error": "squared error", "cross_entropy": "cross-entropy"}
CASES = [(workload, loss, contraction, batch)
         for workload, contraction in (("W1", 0.0), ("W2", 1.0))
         for loss in LOSSES
         for batch in (20, 100, 500)]
FRAMEWORKS = {"pytorch": ["torch", "numpy"], "jax": ["jax"]}  # what is installed for each


class Peer:
    def __init__(self, name, command, path, how):
        self.name, self.command, self.path, self.how = name, command, path, how


def environment(build, name):
    return build / "peers" / name


def peers(build, here):
    def script(name, framework, *arguments):
        python = sys.executable if here else environment(build, framework) / "bin" / "python"
        source = HERE / f"{framework}_steps.py"
        return Peer(name, [str(python), str(source), *arguments], pathlib.Path(python),
                    f"{sys.argv[0]} --install {framework}")

    binary = build / "jacquard-bench-libtorch"
    return [
        Peer("libtorch", [str(binary)], binary,
             "install Debian's libtorch-dev, then configure with -DJACQUARD_PEERS=ON and build"),
        script("pytorch", "pytorch", "eager"),
        script("pytorch_compiled", "pytorch", "compiled"),
        script("jax", "jax"),
    ]


def install(build, framework):
    folder = environment(build, framework)
    venv.create(folder, with_pip=True, clear=True)
    subprocess.run([folder / "bin" / "python", "-m", "pip", "install", *FRAMEWORKS[framework]],
                   check=True)


def settings(most_threads):
    """Threads that sleep while they wait leave the processor to others; threads that spin answer
    sooner. Which is better depends on who else has threads."""
    for threads, wait in itertools.product(sorted({1, most_threads}), ("passive", "active")):
        yield threads, {
            "OMP_NUM_THREADS": str(threads),
            "OPENBLAS_NUM_THREADS": str(threads),
            "MKL_NUM_THREADS": str(threads),
            "OMP_WAIT_POLICY": wait,
            "PYTHONDONTWRITEBYTECODE": "1",
            "XLA_FLAGS": f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'} "
                         f"intra_op_parallelism_threads={threads}",
        }


def answers(peer, variables, seconds):
    text = "".join(f"{loss} {contraction} {batch} {seconds}\n"
                   for _, loss, contraction, batch in CASES)
    done = subprocess.run(peer.command, input=text, stdout=subprocess.PIPE, text=True,
                          env={**os.environ, **variables})
    times = [float(line) for line in done.stdout.split()]
    if done.returncode != 0 or len(times) != len(CASES):
        sys.exit(f"{peer.name}: the program ended with code {done.returncode} after "
                 f"{len(times)} of {len(CASES)} answers")
    return times


def best_rows(peer, most_threads, seconds):
    best = [None] * len(CASES)
    for threads, variables in settings(most_threads):
        for i, time in enumerate(answers(peer, variables, seconds)):
            if best[i] is None or time < best[i][0]:
                best[i] = (time, threads, variables["OMP_WAIT_POLICY"])
    for (workload, loss, _, batch), (time, threads, wait) in zip(CASES, best):
        yield {"workload": workload,
               "variant": f"784-1000-784 tied, {LOSSES[loss]}, SGD",
               "batch": batch, "threads": threads, "implementation": peer.name,
               "median_us": time, "waiting": wait}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parents[2] / "build")
    parser.add_argument("--install", choices=FRAMEWORKS)
    parser.add_argument("--only", help="the peer of this name alone")
    parser.add_argument("--here", action="store_true",
                        help="use the packages of this interpreter, not virtual environments")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="the most to try")
    parser.add_argument("--seconds", type=float, default=1, help="spent on each case and setting")
    options = parser.parse_args()
    if options.install:
        install(options.build, options.install)
        return
    for peer in peers(options.build, options.here):
        if options.only not in (None, peer.name):
            continue
        if not peer.path.exists():
            print(f"{peer.name} is left out; to have it: {peer.how}", file=sys.stderr)
            continue
        for row in best_rows(peer, options.threads, options.seconds):
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
