"""Changes refs and history of tables, then prints each row of their metadata tables as PyIceberg has them, as JSON."""
import base64
import json
import sys
from datetime import date, datetime

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog

# Integers up to here are numbers in JSON, others text.
EXACT = 1 << 53


def plain(value):
    match value:
        case bool() | None | str():
            return value
        case int():
            return value if abs(value) <= EXACT else str(value)
        case datetime():
            return value.strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"
        case date():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode()
        case dict():
            return {name: plain(inner) for name, inner in value.items()}
        case list() if value and all(isinstance(pair, tuple) for pair in value):
            return {str(key): plain(inner) for key, inner in value}
        case list():
            return [plain(inner) for inner in value]
    raise TypeError(value)


name, uri, warehouse, *tables = sys.argv[1:]
catalog = SqlCatalog(name, uri=uri, warehouse=warehouse)
for identifier in tables:
    table = catalog.load_table(identifier)
    ids = [entry.snapshot_id for entry in table.history()]
    change = table.manage_snapshots()
    change.create_tag(ids[0], "first ü", max_ref_age_ms=86_400_000)
    change.create_branch(ids[1], "audit", max_ref_age_ms=1, max_snapshot_age_ms=2, min_snapshots_to_keep=3)
    change.create_branch(ids[1], "bare")
    change.commit()
    # The last commit is taken back, and another one made in its place.
    table.manage_snapshots().rollback_to_snapshot(ids[-2]).commit()
    row = {field.name: None for field in table.schema().fields} | {"id": 1_000}
    table.append(pa.Table.from_pylist([row], schema=table.schema().as_arrow()))
    for kind in ("files", "snapshots", "history", "partitions", "refs"):
        for row in getattr(table.inspect, kind)().to_pylist():
            # The bounds once more, for people.
            row.pop("readable_metrics", None)
            print(json.dumps({"table": identifier, "kind": kind, "row": plain(row)}, ensure_ascii=False))
