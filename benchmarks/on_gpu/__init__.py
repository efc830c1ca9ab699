"""What a GPU makes of numepi, in one run of a few minutes: correctness, times beside the CPU's, whole fits, memory.

    python -m benchmarks.on_gpu --out DIR [--wheels FOLDER] [--seconds 420] [--only SECTION ...] [--rehearse]

Writes ``on_gpu.json`` and ``on_gpu.md`` in DIR after every step, the most telling steps first, so that a run that is
cut short still tells.  Needs no network: packages that the machine lacks come from a folder of wheels.  ``--rehearse``
goes through all of it with tiny sizes in numba's CUDA simulator, on a machine without a GPU; its times mean nothing.

Each circuit has a process of its own (`worker`), so that a kernel that fails ends one circuit and not the run.
"""
