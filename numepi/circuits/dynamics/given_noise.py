"""Random numbers that a caller gives, in the order of the program."""

import math

import numpy as np

from numepi.simulation.lanes import Noise

__all__ = ["given_noise"]


def given_noise(build, noise, trials):
    """Check given noise; return the driver's `Noise` and the number of trials."""
    if noise is None:
        return None, trials
    model, steps = build.model, build.model.steps
    sizes = {"initial": sum(build.n_random.values()), "noise": build.n_noise}
    tasks = (len(model.tasks),) if model.tasks else ()
    names, arrays, shapes = list(noise), {}, {}
    for name in names:
        last = (sizes[name],) if name == "initial" else (steps, sizes[name])
        array = noise[name]
        if trials == 1 and array.ndim == 1 + len(tasks) + len(last):
            array = np.expand_dims(array, 1 + len(tasks))
        lead = (len(array), *tasks)
        if (
            array.ndim != len(lead) + 1 + len(last)
            or array.shape[: len(lead)] != lead
            or array.shape[len(lead) + 1 :] != last
        ):
            shape = ", ".join(map(str, ("n", *tasks, "trials", *last)))
            raise ValueError(f"noise[{name!r}] has shape {noise[name].shape}: expected ({shape})")
        arrays[name], shapes[name] = array, array.shape[: len(lead) + 1]
    if len(set(shapes.values())) != 1:
        raise ValueError(
            f"the noise arrays begin with {sorted(set(shapes.values()))}: they must have the same rows and trials"
        )
    shape = next(iter(shapes.values()))
    count = math.prod(shape)
    initial = np.zeros((count, build.program[0].n_initial))
    if "initial" in arrays:
        flat, uniform = arrays["initial"].reshape(count, -1), build.n_random["uniform"]
        initial[:, :uniform] = flat[:, :uniform]
        first = 4 * build.blocks["uniform"]
        initial[:, first : first + build.n_random["normal"]] = flat[:, uniform:]
    steps_noise = arrays["noise"].reshape(count, steps, -1) if "noise" in arrays else np.zeros((count, steps, 0))
    return Noise(initial, steps_noise), shape[-1]
