"""asv suites of numepi: see README.md beside this file."""
