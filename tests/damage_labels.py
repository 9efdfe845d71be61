"""Damage to labels: of plates without records, since labels are added to them."""

from __future__ import annotations

from damage import IMAGE, LABEL, put_group
from damage_table import label


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
