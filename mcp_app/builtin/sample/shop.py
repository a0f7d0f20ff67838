"""`shop`: a SQLite database made of the sample data, in a temporary folder for as long as it is used.

It is written once and read by others; which database a caller means is not known here.
"""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from mcp_app.builtin.sample import DATA
from mcp_app.builtin.scratch import scratch_directory

_SCHEMA = """
create table customers (
    customer_id integer primary key,
    name text not null,
    email text,
    country text not null,
    city text not null,
    born_on date,
    signed_up_on date,
    newsletter boolean not null
);
create table products (
    product_id integer primary key,
    name text not null,
    category text not null,
    price decimal(10, 2) not null,
    weight_g integer not null,
    in_stock integer not null
);
create table orders (
    order_id integer primary key,
    customer_id integer not null references customers (customer_id),
    product_id integer not null references products (product_id),
    ordered_on date not null,
    shipped_on date,
    quantity integer not null,
    unit_price decimal(10, 2) not null,
    total decimal(10, 2) not null,
    distance_km integer,
    delivery_days integer,
    rating integer,
    status text not null
);
create index orders_of_a_customer on orders (customer_id);
create index orders_by_day on orders (ordered_on);
create view sales_by_month as
    select substr(ordered_on, 1, 7) as month, count(*) as orders, round(sum(total), 2) as total
    from orders where status <> 'cancelled' group by 1;
"""
"""Keys let no row in twice: the files have some. Their other flaws are here as well."""

_TABLES = ("customers", "products", "orders")


@contextmanager
def shop() -> Iterator[Path]:
    """The database's file."""
    with scratch_directory() as folder:
        path = folder / "shop.db"
        _write(path)
        yield path


def _write(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(_SCHEMA)
        for table in _TABLES:
            with (DATA / f"{table}.csv").open(encoding="utf-8", newline="") as file:
                reader = csv.reader(file)
                names = next(reader)
                places = ", ".join(["?"] * len(names))
                connection.executemany(
                    f"insert or ignore into {table} ({', '.join(names)}) values ({places})",  # noqa: S608 - our own names
                    ([_VALUES.get(each, each) for each in row] for row in reader),
                )
        connection.execute("analyze")
        connection.commit()


_VALUES = {"": None, "true": 1, "false": 0}
"""What SQLite has no text for. Numbers are converted by the columns' types."""
