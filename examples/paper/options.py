"""Command line of the scripts."""

import argparse
from pathlib import Path

__all__ = ["read_options"]


def read_options(description):
    """Parse ``--quick --seed --out --refit``; the output directory is made."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a short run that shows the machinery, not the findings")
    parser.add_argument("--seed", type=int, default=0, help="names every random number (default 0)")
    parser.add_argument("--out", type=Path, default=Path("out"), help="directory for fits and figures (default out)")
    parser.add_argument(
        "--refit", action="store_true", help="do not read the stored fits; what --out holds is taken, or goes on"
    )
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    return options
