"""Names of the rows in which a spline coupling's kernels keep what they know of one coordinate."""

# Of a sample's bin: its number (-1 outside of the bounds), corner, size, the logarithms of the slopes at its ends
# (clamped), the sample's place in it (t), and the spline's value u.
INDEX, X0, Y0, WIDTH, HEIGHT, LOG_D0, LOG_D1, PLACE, U = range(9)
BIN_ROWS = 9

# Scratch: gradients with respect to the corner, the size and the raw slopes; and two sums over bins.
G_X0, G_Y0, G_WIDTH, G_HEIGHT, G_D0, G_D1, SUM_X, SUM_Y = range(8)
WORK_ROWS = 8
