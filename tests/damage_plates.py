"""Damage to the documents of plates, rows and wells, and to versions."""

from __future__ import annotations

import json

from damage import IMAGE
from damage_table import GONE, LOST, NEWER, STRANGER, kind

# The plate's document


@kind("document-unreadable")
def the_plate_document_is_cut_off(store):
    store.put(store.document_of(""), store.read(store.document_of(""))[:-20])


@kind("not-ome-zarr", GONE, versions=("0.4",))
def the_plate_document_is_gone(store):
    store.drop(".zattrs")


@kind("not-ome-zarr", versions=NEWER)
def the_plate_document_says_nothing(store):
    store.put("zarr.json", b'{"zarr_format": 3, "node_type": "group", "attributes": {}}')


@kind("plate-well-index")
def a_row_index_is_wrong(store):
    with store.plate() as plate:
        plate["wells"][1]["rowIndex"] += 1


@kind("plate-well-index")
def a_column_index_is_negative(store):
    with store.plate() as plate:
        plate["wells"][1]["columnIndex"] = -1


@kind("plate-well-index")
def row_and_column_indices_are_swapped(store):
    with store.plate() as plate:
        one = plate["wells"][1]
        one["rowIndex"], one["columnIndex"] = one["columnIndex"], one["rowIndex"]


@kind("key-missing")
def a_row_index_is_missing(store):
    with store.plate() as plate:
        del plate["wells"][0]["rowIndex"]


@kind("plate-well-path")
def a_well_path_names_no_column(store):
    with store.plate() as plate:
        plate["wells"][1]["path"] = "B/3"


@kind("plate-well-path")
def a_well_path_leads_out(store):
    with store.plate() as plate:
        plate["wells"][1]["path"] = "../B"


@kind("plate-well-repeated")
def a_well_is_listed_twice(store):
    with store.plate() as plate:
        plate["wells"].append(dict(plate["wells"][0]))


@kind("well-unlisted")
def a_well_on_disk_is_not_listed(store):
    with store.plate() as plate:
        plate["wells"].pop(1)


@kind("well-unlisted", STRANGER)
def a_well_in_a_row_of_no_plate_lies_there(store):
    store.copy("B", "Z")


@kind("well-absent", LOST)
def a_listed_well_is_absent(store):
    store.drop("B/03")


@kind("plate-lines-skipped")
def rows_and_columns_are_only_those_in_use(store):
    with store.plate() as plate:
        parts = [one["path"].split("/") for one in plate["wells"]]
        rows, columns = sorted({row for row, _ in parts}), sorted({column for _, column in parts})
        plate["rows"], plate["columns"] = [{"name": one} for one in rows], [{"name": one} for one in columns]
        for one, (row, column) in zip(plate["wells"], parts, strict=True):
            one["rowIndex"], one["columnIndex"] = rows.index(row), columns.index(column)


@kind("plate-size-unusual")
def the_last_columns_are_cut(store):
    with store.plate() as plate:
        del plate["columns"][3:]


@kind("plate-line-name")
def two_rows_have_one_name(store):
    with store.plate() as plate:
        plate["rows"][2]["name"] = "B"


@kind("plate-line-name")
def a_column_name_has_a_space(store):
    with store.plate() as plate:
        plate["columns"][5]["name"] = "0 6"


@kind("key-missing")
def the_plate_has_no_columns(store):
    with store.plate() as plate:
        del plate["columns"]


@kind("plate-empty")
def the_plate_lists_no_wells(store):
    with store.plate() as plate:
        plate["wells"] = []


@kind("field-count-low")
def field_count_is_too_low(store):
    with store.plate() as plate:
        plate["field_count"] = 1


@kind("field-count-high")
def field_count_is_too_high(store):
    with store.plate() as plate:
        plate["field_count"] = 9


@kind("value-wrong")
def field_count_is_zero(store):
    with store.plate() as plate:
        plate["field_count"] = 0


@kind("acquisition-fields-low")
def maximumfieldcount_is_too_low(store):
    with store.plate() as plate:
        plate["acquisitions"][0]["maximumfieldcount"] = 1


@kind("acquisition-id")
def two_acquisitions_have_one_id(store):
    with store.plate() as plate:
        plate["acquisitions"].append(dict(plate["acquisitions"][0]))


@kind("value-wrong")
def a_start_time_is_a_text(store):
    with store.plate() as plate:
        plate["acquisitions"][0]["starttime"] = "2024-05-01"


@kind("acquisition-fields-high")
def maximumfieldcount_is_too_high(store):
    with store.plate() as plate:
        plate["acquisitions"][0]["maximumfieldcount"] = 9


@kind("name-clash")
def two_rows_differ_in_case_only(store):
    with store.plate() as plate:
        plate["rows"][2]["name"] = "a"


# Versions


@kind("version-unknown")
def the_version_is_none_there_is(store):
    with store.group() as body:
        (body["plate"] if store.v2 else body)["version"] = "0.7"


@kind("version-missing", versions=NEWER)
def the_version_is_missing(store):
    with store.group() as body:
        del body["version"]


@kind("part-version-missing", versions=("0.4", "0.5"))
def the_plate_part_has_no_version(store):
    with store.plate() as plate:
        del plate["version"]


@kind("version-differs", versions=NEWER)
def the_plate_part_says_another_version(store):
    with store.plate() as plate:
        plate["version"] = "0.4"


@kind("versions-mixed")
def an_image_says_another_version_than_the_plate(store):
    with store.group(IMAGE) as body:
        (body["multiscales"][0] if store.v2 else body)["version"] = "0.5" if store.v2 else "0.4"


@kind("metadata-in-wrong-zarr")
def metadata_is_where_another_version_keeps_it(store):
    with store.edit(store.document_of("")) as document:
        attributes = document if store.v2 else document["attributes"]
        body = {key: attributes.pop(key) for key in list(attributes)} if store.v2 else attributes.pop("ome")
        attributes.update({"ome": {"version": "0.5", **body}} if store.v2 else body)


@kind("zarr-versions-mixed", GONE)
def a_row_is_of_another_zarr_version(store):
    if store.v2:
        store.drop("A/.zgroup")
        store.drop("A/.zattrs", must=False)
        store.put("A/zarr.json", b'{"zarr_format": 3, "node_type": "group", "attributes": {}}')
    else:
        store.drop("A/zarr.json")
        store.put("A/.zgroup", b'{"zarr_format": 2}')


@kind("two-zarr-versions", STRANGER)
def documents_of_two_zarr_versions_lie_in_one_well(store):
    other = {".zgroup": b'{"zarr_format": 2}'}
    if store.v2:
        document = {"zarr_format": 3, "node_type": "group", "attributes": json.loads(store.read("A/01/.zattrs"))}
        other = {"zarr.json": json.dumps(document).encode()}
    for name, data in other.items():
        store.put(f"A/01/{name}", data)


# Rows and wells


@kind("row-document-missing", GONE)
def the_document_of_a_row_is_gone(store):
    store.drop(store.group_file("B"))
    store.drop("B/.zattrs", must=False)


@kind("group-document-missing", GONE)
def the_document_of_a_well_is_gone(store):
    store.drop(store.group_file("B/03"))
    store.drop("B/03/.zattrs", must=False)


@kind("not-ome-zarr")
def a_well_says_that_it_is_an_image(store):
    with store.group(IMAGE) as body:
        image = dict(body)
    with store.group("A/01") as body:
        body.clear()
        body.update(image)


@kind("site-unlisted")
def a_site_on_disk_is_not_listed(store):
    with store.well() as well:
        well["images"].pop()


@kind("site-absent", LOST)
def a_listed_site_is_absent(store):
    store.drop("A/01/1")


@kind("well-image-path")
def a_site_is_listed_twice(store):
    with store.well() as well:
        well["images"].append(dict(well["images"][0]))


@kind("well-image-path")
def a_site_path_has_a_slash(store):
    with store.well() as well:
        well["images"][1]["path"] = "1/../0"


@kind("well-empty")
def a_well_lists_no_images(store):
    with store.well() as well:
        well["images"] = []


@kind("acquisition-unknown")
def a_site_names_an_acquisition_that_is_not_there(store):
    with store.well() as well:
        well["images"][0]["acquisition"] = 7


@kind("acquisition-missing")
def a_site_of_a_plate_with_two_acquisitions_names_none(store):
    with store.plate() as plate:
        plate["acquisitions"].append({"id": 1, "name": "1", "maximumfieldcount": 1})
    with store.well() as well:
        del well["images"][0]["acquisition"]
