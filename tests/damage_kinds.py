"""Every kind of damage that validate must find: what is done to a plate, and the codes that tell it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from damage import ABSENT, IMAGE, LABEL, VERSIONS, put_group

if TYPE_CHECKING:
    from collections.abc import Callable

    from damage import Store

NEWER = ("0.5", "0.6")
CHANGED = "document-changed"
GONE = "document-missing"
OBJECT = "object-damaged"
SIZE = "object-size"
LOST = "object-missing"
STRANGER = "stranger"


@dataclass(frozen=True)
class Damage:
    """One kind: ``code`` tells it in a plate without records, ``record`` in one with."""

    name: str
    harm: Callable[[Store], Any]
    code: str
    record: str
    deep: bool = False
    versions: tuple[str, ...] = VERSIONS


KINDS: list[Damage] = []


def kind(code: str, record: str = CHANGED, *, deep: bool = False, versions: tuple[str, ...] = VERSIONS) -> Any:
    """Register a function that does damage; its name says what."""

    def register(harm: Callable[[Store], Any]) -> Callable[[Store], Any]:
        name = harm.__name__.replace("_", " ")
        KINDS.append(Damage(name, harm, code, record, deep, versions))
        return harm

    return register


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


# Images


@kind("document-unreadable")
def an_image_document_is_a_list(store):
    store.put(store.document_of(IMAGE), b"[1, 2]")


@kind("axes-repeated")
def two_axes_have_one_name(store):
    with store.image() as image:
        store.axes(image)[3]["name"] = "y"


@kind("axes-order")
def axes_are_in_another_order(store):
    with store.image() as image:
        store.axes(image).reverse()


@kind("axes-zyx")
def axes_of_space_are_in_another_order(store):
    with store.image() as image:
        axes = store.axes(image)
        axes[2], axes[3] = axes[3], axes[2]


@kind("axes-types")
def all_axes_are_of_space(store):
    with store.image() as image:
        store.axes(image)[0]["type"] = "space"


@kind("axis-type-missing")
def an_axis_has_no_type(store):
    with store.image() as image:
        del store.axes(image)[2]["type"]


@kind("level-axes")
def there_are_fewer_axes_than_dimensions(store):
    with store.image() as image:
        store.axes(image).pop(0)


@kind("axis-unit")
def a_unit_is_unknown(store):
    with store.image() as image:
        store.axes(image)[3]["unit"] = "furlong"


@kind("axis-unit")
def a_unit_is_abbreviated(store):
    with store.image() as image:
        store.axes(image)[3]["unit"] = "µm"


@kind("axes-count")
def there_are_six_axes(store):
    with store.image() as image:
        store.axes(image).extend([{"name": "u", "type": "space"}, {"name": "v", "type": "space"}])


@kind("levels-equal", SIZE)
def a_level_says_the_size_of_the_one_before(store):
    with store.array(f"{IMAGE}/1") as array:
        array["shape"] = [2, 2, 600, 300]


@kind("level-scale")
def the_scale_of_a_level_is_wrong(store):
    with store.image() as image:
        store.steps(image, 1)[0]["scale"][-1] *= 1.5


@kind("level-scale")
def z_is_scaled_and_has_not_shrunk(store):
    with store.image() as image:
        store.steps(image, 1)[0]["scale"][1] *= 4


@kind("scale-value")
def a_scale_is_zero(store):
    with store.image() as image:
        store.steps(image, 0)[0]["scale"][-1] = 0


@kind("transform-length")
def a_scale_has_too_few_numbers(store):
    with store.image() as image:
        store.steps(image, 0)[0]["scale"].pop()


@kind("transform-order")
def translation_stands_before_scale(store):
    with store.image() as image:
        store.steps(image, 0).reverse()


@kind("transform-type")
def a_level_is_rotated(store):
    with store.image() as image:
        image["datasets"][0]["coordinateTransformations"].append({"type": "rotation", "rotation": []})


@kind("scale-missing", versions=("0.4", "0.5"))
def a_level_has_no_scale(store):
    with store.image() as image:
        store.steps(image, 1).pop(0)


@kind("key-missing")
def a_level_has_no_transformations(store):
    with store.image() as image:
        del image["datasets"][1]["coordinateTransformations"]


@kind("level-translation")
def a_level_is_shifted(store):
    with store.image() as image:
        store.steps(image, 1)[1]["translation"][-1] += 3


@kind("levels-order")
def levels_are_listed_from_small_to_large(store):
    with store.image() as image:
        image["datasets"].reverse()


@kind("level-repeated")
def a_level_is_listed_twice(store):
    with store.image() as image:
        image["datasets"][1]["path"] = "0"


@kind("level-absent")
def a_listed_level_is_absent(store):
    with store.image() as image:
        image["datasets"].append(json.loads(json.dumps(image["datasets"][1])) | {"path": "7"})


@kind("level-absent", LOST)
def the_document_of_a_level_is_gone(store):
    store.drop(store.array_file(f"{IMAGE}/1"))


@kind("level-unlisted")
def a_level_on_disk_is_not_listed(store):
    with store.image() as image:
        image["datasets"].pop()


@kind("path-leads-out")
def a_level_is_in_another_image(store):
    with store.image() as image:
        image["datasets"][0]["path"] = "../1/0"


@kind("multiscales-empty")
def an_image_has_no_multiscales_entry(store):
    with store.group(IMAGE) as body:
        body["multiscales"] = []


@kind("system-unknown", versions=("0.6",))
def a_level_leads_to_a_system_that_is_not_there(store):
    with store.image() as image:
        image["datasets"][1]["coordinateTransformations"][0]["output"]["name"] = "elsewhere"


@kind("system-name", versions=("0.6",))
def a_coordinate_system_has_no_name(store):
    with store.image() as image:
        image["coordinateSystems"][0]["name"] = ""


@kind("system-differs", versions=("0.6",))
def levels_lead_to_two_systems(store):
    with store.image() as image:
        image["coordinateSystems"].append(image["coordinateSystems"][0] | {"name": "other"})
        image["datasets"][1]["coordinateTransformations"][0]["output"]["name"] = "other"


@kind("system-differs", versions=("0.6",))
def a_further_system_starts_from_another_than_the_levels_lead_to(store):
    with store.image() as image:
        first = image["coordinateSystems"][0]
        image["coordinateSystems"] += [first | {"name": "a"}, first | {"name": "b"}]
        scale = {"type": "scale", "scale": [1.0] * 4, "input": {"name": "a"}, "output": {"name": "b"}}
        image["coordinateTransformations"] = [scale]


@kind("omero-label-missing")
def a_channel_has_no_label(store):
    with store.group(IMAGE) as body:
        del body["omero"]["channels"][0]["label"]


@kind("omero-channels")
def omero_has_a_channel_too_few(store):
    with store.group(IMAGE) as body:
        body["omero"]["channels"].pop()


@kind("omero-part-missing")
def a_channel_has_no_color(store):
    with store.group(IMAGE) as body:
        del body["omero"]["channels"][0]["color"]


@kind("omero-color")
def a_color_is_a_word(store):
    with store.group(IMAGE) as body:
        body["omero"]["channels"][0]["color"] = "blue"


@kind("omero-window")
def a_window_ends_before_it_starts(store):
    with store.group(IMAGE) as body:
        window = body["omero"]["channels"][0]["window"]
        window["start"], window["end"] = window["end"], window["start"]


@kind("key-missing")
def a_window_has_no_end(store):
    with store.group(IMAGE) as body:
        del body["omero"]["channels"][0]["window"]["end"]


# Arrays


@kind("level-dtype", SIZE)
def a_level_says_another_dtype(store):
    with store.array(f"{IMAGE}/1") as array:
        array["dtype" if store.v2 else "data_type"] = "<f4" if store.v2 else "float32"


@kind("array-dtype", SIZE)
def a_dtype_is_none_there_is(store):
    with store.array() as array:
        array["dtype" if store.v2 else "data_type"] = "<u3" if store.v2 else "uint24"


@kind("level-scale", SIZE)
def a_level_says_another_shape(store):
    with store.array(f"{IMAGE}/1") as array:
        array["shape"][-1] += 100


@kind("level-axes", SIZE)
def an_array_has_a_dimension_too_few(store):
    with store.array(f"{IMAGE}/1") as array:
        array["shape"].pop(0)
        (array["chunks"] if store.v2 else array["chunk_grid"]["configuration"]["chunk_shape"]).pop(0)
        if not store.v2:
            array["codecs"][0]["configuration"]["chunk_shape"].pop(0)
            array["dimension_names"].pop(0)


@kind("array-chunks", SIZE)
def chunks_have_no_size(store):
    with store.array() as array:
        (array["chunks"] if store.v2 else array["chunk_grid"]["configuration"]["chunk_shape"])[-1] = 0


@kind("array-chunks", SIZE, versions=NEWER)
def shards_are_no_multiple_of_chunks(store):
    with store.array() as array:
        array["codecs"][0]["configuration"]["chunk_shape"][-1] = 7


@kind("array-fill-value", SIZE)
def the_fill_value_is_none_of_the_dtype(store):
    with store.array() as array:
        array["fill_value"] = -1.5


@kind("array-codecs", SIZE)
def codecs_make_no_bytes(store):
    with store.array() as array:
        if store.v2:
            array["filters"] = 5
        else:
            array["codecs"] = [{"name": "crc32c"}]


@kind("chunk-huge", SIZE)
def a_chunk_is_over_two_gigabytes(store):
    with store.array() as array:
        if store.v2:
            array["chunks"] = [1, 1, 2**16, 2**16]
        else:
            array["chunk_grid"]["configuration"]["chunk_shape"] = [2, 2, 2**16, 2**16]
            array["codecs"][0]["configuration"]["chunk_shape"] = [1, 1, 2**16, 2**16]


@kind("array-unread", SIZE)
def a_codec_is_unknown(store):
    with store.array() as array:
        if store.v2:
            array["compressor"]["id"] = "zip9"
        else:
            array["codecs"][0]["configuration"]["codecs"][1]["name"] = "zip9"


@kind("dimension-names-differ", SIZE, versions=NEWER)
def dimension_names_are_not_those_of_the_axes(store):
    with store.array() as array:
        array["dimension_names"] = ["c", "y", "z", "x"]


@kind("dimension-names-missing", SIZE, versions=NEWER)
def dimension_names_are_missing(store):
    with store.array() as array:
        del array["dimension_names"]


@kind("zarr-versions-mixed", LOST)
def a_level_is_of_another_zarr_version(store):
    store.drop(f"{IMAGE}/1")
    array = {"shape": [2, 2, 300, 150], "fill_value": 0}
    if store.v2:
        array |= {"zarr_format": 3, "node_type": "array", "data_type": "uint16", "codecs": [{"name": "bytes"}]}
        array["chunk_grid"] = {"name": "regular", "configuration": {"chunk_shape": [2, 2, 300, 150]}}
        array["chunk_key_encoding"] = {"name": "default"}
        array["dimension_names"] = ["c", "z", "y", "x"]
        store.put(f"{IMAGE}/1/zarr.json", json.dumps(array).encode())
        return
    array |= {"zarr_format": 2, "chunks": [2, 2, 300, 150], "dtype": "<u2", "order": "C", "filters": None}
    store.put(f"{IMAGE}/1/.zarray", json.dumps(array | {"compressor": None, "dimension_separator": "/"}).encode())


# Stored objects


@kind("chunk-lost", LOST)
def an_object_is_deleted(store):
    store.drop(store.objects()[0])


@kind("chunk-key", LOST)
def objects_are_named_by_another_encoding(store):
    first = store.objects()[0]
    store.move(first, f"{IMAGE}/0/0.0.0.0" if store.v2 else f"{IMAGE}/0/0/0/0/0")


@kind("chunk-key", SIZE)
def the_document_tells_another_encoding(store):
    with store.array() as array:
        if store.v2:
            array["dimension_separator"] = "."
        else:
            array["chunk_key_encoding"] = {"name": "v2", "configuration": {"separator": "/"}}


@kind("chunk-outside", STRANGER)
def an_object_lies_outside_the_grid(store):
    first = store.objects()[0]
    store.put(f"{IMAGE}/0/{'0/0/0/9' if store.v2 else 'c/0/0/0/9'}", store.read(first))


@kind("chunk-empty", SIZE, versions=("0.4",))
def an_object_has_no_bytes(store):
    store.put(store.objects()[0], b"")


@kind("shard-short", SIZE, versions=NEWER)
def a_shard_has_no_bytes(store):
    store.put(store.objects()[0], b"")


@kind("shard-index", SIZE, versions=NEWER)
def a_shard_is_truncated(store):
    first = store.objects()[0]
    store.put(first, store.read(first)[:-1000])


@kind("chunk-unreadable", SIZE, deep=True, versions=("0.4",))
def an_object_is_truncated(store):
    first = store.objects()[0]
    store.put(first, store.read(first)[:-1000])


@kind("chunk-unreadable", OBJECT, deep=True)
def a_bit_of_a_chunk_is_flipped(store):
    first = store.objects()[0]
    data = bytearray(store.read(first))
    data[len(data) // 3] ^= 1
    store.put(first, bytes(data))


@kind("shard-index", OBJECT, deep=True, versions=NEWER)
def a_bit_of_a_shard_index_is_flipped(store):
    first = store.objects()[0]
    data = bytearray(store.read(first))
    data[-30] ^= 1
    store.put(first, bytes(data))


@kind("shard-index", OBJECT, deep=True, versions=NEWER)
def a_shard_is_all_zero_bytes(store):
    first = store.objects()[0]
    store.put(first, bytes(len(store.read(first))))


@kind("chunk-unreadable", OBJECT, deep=True, versions=("0.4",))
def an_object_is_all_zero_bytes(store):
    first = store.objects()[0]
    store.put(first, bytes(len(store.read(first))))


@kind("shard-hole", OBJECT, deep=True, versions=NEWER)
def an_entry_of_an_index_says_absent(store):
    first = store.objects()[0]
    chunks, table = store.index(first)
    table[1] = ABSENT
    store.put_index(first, chunks, table)


@kind("shard-entry", OBJECT, deep=True, versions=NEWER)
def entries_of_an_index_overlap(store):
    first = store.objects()[0]
    chunks, table = store.index(first)
    table[1] = table[0]
    store.put_index(first, chunks, table)


@kind("shard-entry", OBJECT, deep=True, versions=NEWER)
def an_entry_of_an_index_leads_out_of_the_shard(store):
    first = store.objects()[0]
    chunks, table = store.index(first)
    table[3, 1] += 5000
    store.put_index(first, chunks, table)


@kind("pixels-differ", SIZE, deep=True)
def objects_of_two_images_are_swapped(store):
    one, other = store.objects()[0], store.objects("B/03/1/0")[0]
    data = store.read(one), store.read(other)
    store.put(one, data[1])
    store.put(other, data[0])


@kind("pixels-differ", SIZE, deep=True)
def an_object_holds_the_fill_value_where_pixels_were(store):
    import numpy as np

    from openhcs.io.zarr_array import open_handle
    from openhcs.io.zarr_encode import encode_object

    spec = open_handle(store.path / IMAGE / "0").spec
    store.put(store.objects()[0], b"".join(encode_object(spec, np.zeros(spec.object_shape, spec.dtype))))


# Labels: of plates without records, since labels are added to them


LABELS: list[Damage] = []


def label(code: str, *, versions: tuple[str, ...] = VERSIONS) -> Any:
    def register(harm: Callable[[Store], Any]) -> Callable[[Store], Any]:
        LABELS.append(Damage(harm.__name__.replace("_", " "), harm, code, "", False, versions))
        return harm

    return register


@label("label-absent")
def a_listed_label_is_absent(store):
    store.drop(LABEL)


@label("label-unlisted")
def a_label_on_disk_is_not_listed(store):
    with store.group(f"{IMAGE}/labels") as body:
        body["labels"] = []


@label("group-document-missing")
def the_document_of_the_labels_is_gone(store):
    store.drop(store.group_file(f"{IMAGE}/labels"))
    store.drop(f"{IMAGE}/labels/.zattrs", must=False)


@label("value-wrong")
def labels_are_no_list(store):
    with store.group(f"{IMAGE}/labels") as body:
        body["labels"] = {"nuclei": 1}


@label("label-dtype")
def a_label_is_of_floats(store):
    for level in ("0", "1"):
        with store.array(f"{LABEL}/{level}") as array:
            array["dtype" if store.v2 else "data_type"] = "<f4" if store.v2 else "float32"


@label("label-shape")
def a_label_has_another_size(store):
    with store.array(f"{LABEL}/0") as array:
        array["shape"][-1] += 1


@label("label-levels")
def a_label_has_a_level_too_few(store):
    with store.image(LABEL) as image:
        image["datasets"].pop()


@label("label-scale")
def a_label_has_another_pixel_size(store):
    with store.image(LABEL) as image:
        for level in (0, 1):
            store.steps(image, level)[0]["scale"][-1] *= 2


@label("label-value")
def a_label_color_has_three_numbers(store):
    with store.group(LABEL) as body:
        body["image-label"]["colors"][0]["rgba"].pop()


@label("label-value")
def a_label_color_has_no_value(store):
    with store.group(LABEL) as body:
        del body["image-label"]["colors"][0]["label-value"]


@label("label-source")
def the_source_of_a_label_is_not_there(store):
    with store.group(LABEL) as body:
        body["image-label"]["source"]["image"] = "../../../9"


@label("image-label-missing")
def a_label_does_not_say_that_it_is_one(store):
    with store.group(LABEL) as body:
        del body["image-label"]


@label("label-colors-missing")
def a_label_has_no_colors(store):
    with store.group(LABEL) as body:
        del body["image-label"]["colors"]


@label("not-ome-zarr")
def a_listed_label_is_no_image(store):
    put_group(store, LABEL, {})
