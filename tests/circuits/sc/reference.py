"""Superior colliculus in plain NumPy, from the equations: one parameter, all trials, Jacobian by complex step."""

import numpy as np

DT, TAU, SAMPLES = 0.024, 0.09, 75


def weights(z):
    """W, rows receive, in the order LP, LA, RP, RA."""
    s, v, h, d = z
    return np.array([[s, v, h, d], [v, s, d, h], [h, d, s, v], [d, h, v, s]])


def silenced(window):
    """Samples at which silencing acts."""
    samples = np.arange(SAMPLES)
    return {
        "delay": (samples >= 34) & (samples <= 49),
        "choice": samples >= 50,
        "total": samples >= 0,
    }[window]


def inputs(task, stimulus):
    """h(t_i): (samples, 4)."""
    h = np.full((SAMPLES, 4), 0.75)
    h[:, [0, 2]] += 0.5
    h[:51, [0, 2] if task == 0 else [1, 3]] += 0.6
    h[51:] += 0.25
    h[51:63, [0, 1] if stimulus == "left" else [2, 3]] += 0.5
    return h


def simulate(z, x0_noise, noise, silencing=0.0, window="delay", stimulus="left"):
    """Activities x (2, trials, samples, 4) of one parameter, whose entries may be complex."""
    gate = np.where(silenced(window), 1 - silencing, 1.0)
    w = weights(z)
    x = np.empty((2, x0_noise.shape[1], SAMPLES, 4), np.result_type(w, float))
    for task in range(2):
        h = inputs(task, stimulus)
        u = 0.5 * np.arctanh(2 * (0.1 + 0.005 * x0_noise[task]) - 1) + 0.05
        for i in range(SAMPLES):
            if i > 0:
                u = u + DT / TAU * (-u + x[task, :, i - 1] @ w.T + h[i] + 0.2 * noise[task, :, i])
            x[task, :, i] = gate[i] * (np.tanh((u - 0.05) / 0.5) / 2 + 0.5)
    return x


def statistics(z, x0_noise, noise, slope=100.0, stimulus="left", **options):
    """p_pro and p_anti."""
    last = simulate(z, x0_noise, noise, stimulus=stimulus, **options)[:, :, -1]
    left_minus_right = last[..., 0] - last[..., 2]
    sign = np.array([1, -1]) * (1 if stimulus == "left" else -1)
    return np.mean(1 / (1 + np.exp(-slope * sign[:, None] * left_minus_right)), axis=1)


def jacobian(z, *arguments, **options):
    """d(p_pro, p_anti)/dz, exact to rounding."""
    steps = np.asarray(z) + 1e-30j * np.eye(4)
    return np.stack([statistics(step, *arguments, **options).imag / 1e-30 for step in steps], axis=-1)
