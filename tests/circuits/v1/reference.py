"""Primary visual cortex in plain NumPy, from the equations: one parameter, all trials, Jacobian by complex step."""

import numpy as np

DT, TAU, TAU_NOISE = 0.5e-3, 1e-3, 5e-3
W = np.array(
    [
        [0.218, -0.119, -0.0594, -0.0229],
        [0.166, -0.0651, -0.068, -0.0242],
        [0.0895, -5.22e-4, -1.51e-5, -0.0761],
        [0.334, -0.231, -0.0254, -2.52e-5],
    ]
)
H_BASELINE = np.array([4.16, 4.29, 4.91, 4.86])
H_CONTRAST = np.array([3.59, 4.03, 0.0, 0.0])


def simulate(z, x0, noise, contrast=0.0):
    """Rates x (trials, steps + 1, 4) of one parameter, whose entries may be complex."""
    sigma = np.asarray(z) * np.sqrt(1 + TAU / TAU_NOISE)
    h = H_BASELINE + contrast * H_CONTRAST
    x = x0.astype(np.result_type(sigma, float))
    epsilon = np.zeros_like(x)
    path = [x]
    for t in range(noise.shape[1]):
        drive = x @ W.T + h + epsilon
        rate = np.where(drive.real > 0, drive, 0) ** 2
        kick = np.sqrt(2 * TAU_NOISE) * sigma * np.sqrt(DT) * noise[:, t]
        x, epsilon = x + DT / TAU * (-x + rate), epsilon + (-epsilon * DT + kick) / TAU_NOISE
        path.append(x)
    return np.stack(path, axis=1)


def statistics(z, x0, noise, contrast=0.0):
    """s_E over t >= 75 ms, averaged over trials: (1,)."""
    late = simulate(z, x0, noise, contrast)[:, 150:, 0]
    deviation = late - late.mean(axis=1, keepdims=True)
    return np.sqrt((deviation**2).mean(axis=1)).mean(keepdims=True)


def jacobian(z, *arguments, **options):
    """d s_E / d sigma, (1, 4), exact to rounding."""
    steps = np.asarray(z) + 1e-30j * np.eye(4)
    return np.stack([statistics(step, *arguments, **options).imag / 1e-30 for step in steps], axis=-1)
