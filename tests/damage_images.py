"""Damage to the documents of images."""

from __future__ import annotations

import json

from damage import IMAGE
from damage_table import LOST, SIZE, kind

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
