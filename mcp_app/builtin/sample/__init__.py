"""Sample data of a small shop, made up: what the tools about data work on while an operator has named nothing.

`DATA` has it as CSV, with the flaws that real data has: values that are missing, rows that are there twice, days that
no calendar has, a price with its point in the wrong place. `shop.py` makes a database of it.
"""

from pathlib import Path

DATA = Path(__file__).parent / "data"
"""The folder: customers.csv, products.csv, orders.csv."""
