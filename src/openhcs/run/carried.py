"""Documents of an output that was carried over from another OME-Zarr plate.

The groups of a well stand in its commit record, those above the wells in the facts; of the plate's wells
only those with a record are listed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openhcs.core.documents import json_bytes
from openhcs.core.wells import well_key
from openhcs.errors import FormatError
from openhcs.ngff.render import ZARR_FORMAT
from openhcs.ngff.translate import only_wells
from openhcs.run.survey import join

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Json = dict[str, Any]
    Record = Mapping[str, Any]

KEY = "carried"
"""In the facts of an output that was carried over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedFacts:
    """What stands above the wells.

    Parameters
    ----------
    store
        path of the store in the output; empty where the output is the store.
    version
        of OME-Zarr.
    root, rows
        attributes of the root, with all wells, and of rows by name; in that version already.
    """

    store: str
    version: str
    root: Json
    rows: Mapping[str, Json]

    def to_json(self) -> dict[str, Any]:
        """Return the facts as a JSON object, for closing an output later."""
        told = {"store": self.store, "version": self.version, "root": self.root, "rows": dict(self.rows)}
        return {KEY: told, "plate": {"vendor_files": []}, "targets": []}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> CarriedFacts:
        """Return the facts that `to_json` wrote; `FormatError` if they are none."""
        try:
            found = told[KEY]
            rows = {str(name): dict(one) for name, one in found["rows"].items()}
            version = str(found["version"])
            if version not in ZARR_FORMAT:
                raise ValueError(version)
            return cls(store=str(found["store"]), version=version, root=dict(found["root"]), rows=rows)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise FormatError(f"the facts of an output are not as openhcs writes them: {error!r}") from None

    def documents(self, records: Iterable[Record], *, final: bool = True) -> dict[str, bytes]:
        """Return every document by its path in the output, each after those it leads to.

        ``final`` as for `openhcs.run.derive.documents`.
        """
        found = sorted(records, key=lambda record: well_key(record["task"]))
        made: dict[str, bytes] = {}
        if final:
            for record in found:
                made |= well_documents(record, self.version)
        wells = [str(record["well_path"]) for record in found]
        for row in dict.fromkeys(path.partition("/")[0] for path in wells):
            made |= group_files(join(self.store, row), self.rows.get(row, {}), self.version)
        return made | group_files(self.store, only_wells(self.root, self.version, set(wells)), self.version)


def well_documents(record: Record, version: str) -> dict[str, bytes]:
    """Return the documents of a well and all below, deepest first."""
    made: dict[str, bytes] = {}
    groups: Mapping[str, Json] = record["groups"]
    for path in sorted(groups, key=lambda path: (-path.count("/"), path)):
        made |= group_files(path, groups[path], version)
    return made


def group_files(path: str, attributes: Json, version: str) -> dict[str, bytes]:
    """Return the files of one group by path; the one that makes it visible comes last."""
    if ZARR_FORMAT[version] == 3:
        told = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
        return {join(path, "zarr.json"): json_bytes(told)}
    return {join(path, ".zattrs"): json_bytes(attributes), join(path, ".zgroup"): json_bytes({"zarr_format": 2})}
