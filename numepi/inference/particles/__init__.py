"""Sequential Monte Carlo on the dual's path: multipliers, log Z and draws of p* together, without fitting a flow.

Where importance weights from a flow reach nothing (from about a hundred dimensions on), particles still do.
"""
