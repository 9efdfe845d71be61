"""Every fault that documents, arrays and stored objects can have: one table of codes.

A rule's section is of the OME-Zarr specification that the document follows, or names its own source.
"error": a MUST is broken, or data is lost or cannot be found; "warning": a SHOULD, or common readers
stumble; "info": lawful, and worth knowing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ERROR, WARNING, INFO = "error", "warning", "info"


_NAMES_OF_06 = {"§multiscale-md": "§multiscales-md", "§axes-md": "§coordinate-systems-md"}
"""Sections that have another name in 0.6."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How bad a fault is, where the rule stands, what it is about, and what to do."""

    severity: str
    section: str
    about: str
    remedy: str

    def cited(self, version: str) -> str:
        """Return the rule with its source.

        >>> RULES["plate-well-index"].cited("0.5"), RULES["shard-index"].cited("0.5")
        ('0.5 §plate-md', 'Zarr sharding codec 1.0 §index')
        """
        if not self.section.startswith("§"):
            return self.section
        return f"{version} {_NAMES_OF_06.get(self.section, self.section) if version == '0.6' else self.section}"


def _rules(severity: str, section: str, rows: Mapping[str, tuple[str, str]]) -> dict[str, Rule]:
    return {
        code: Rule(severity=severity, section=section, about=about, remedy=remedy)
        for code, (about, remedy) in rows.items()
    }


V3 = "Zarr v3 §array-metadata"
SHARD = "Zarr sharding codec 1.0 §index"
OWN = "openhcs"
FIX = "Correct that value, or write the document anew with the tool that made it"
RESTORE = "Restore that file from where the store came from"
RECORD = "openhcs commit record"
AGAIN = "Run the command that made the output again with --wells WELL --exist replace"
CLOSE = "Run: openhcs close OUT"
LIST = "List it in the document above, or move it out of the store"

_DOCUMENTS = {
    **_rules(ERROR, "§storage-format", {
        "document-unreadable": ("a document is no JSON object, nests too deep, or cannot be read", RESTORE),
        "not-ome-zarr": ("a Zarr group without any OME-Zarr metadata, or of another kind than its place asks for",
            "Name the folder of an image, well, plate, label or collection; or write the metadata"),
        "group-document-missing": ("a folder that must be a Zarr group has no zarr.json or .zgroup",
            "Write the group's document; an empty group is enough for a row"),
        "zarr-versions-mixed": ("a group or array is of another Zarr version than the root",
            "Convert it to one version"),
    }),
    **_rules(WARNING, "§storage-format", {
        "two-zarr-versions": ("documents of Zarr v2 and of v3 lie in one folder, readers see one or the other",
            "Remove those of the version that the store is not of"),
    }),
    **_rules(ERROR, "§metadata", {
        "metadata-in-wrong-zarr": ("OME-Zarr 0.5 or later in Zarr v2, or 0.4 in Zarr v3",
            "Convert the store: OME-Zarr 0.4 is Zarr v2, 0.5 and later are Zarr v3 with the key ome"),
        "version-missing": ("the group does not say which version it follows", "Write ome.version"),
        "version-unknown": ("the version is none of 0.4, 0.5, 0.6", "Convert it with the tool that made it"),
        "versions-mixed": ("a group follows another version than the root", "Convert the store to one version"),
        "version-differs": ("a part of a document says another version than its group", FIX),
        "key-missing": ("a key that must be there is not", FIX),
        "value-wrong": ("a value is of the wrong kind", FIX),
    }),
    **_rules(ERROR, OWN, {
        "document-too-large": ("a list is longer than anyone means it", "Look at what wrote the document"),
        "path-leads-out": ("a path or a link leads out of the store, or is none",
            "Put the data itself into the store and name it by a path below the group"),
    }),
    **_rules(WARNING, "§metadata", {
        "part-version-missing": ("plate, well, multiscales or image-label has no version where this version wants one",
            "Add the version to it"),
        "name-missing": ("a plate or multiscales entry has no name", "Add a name"),
        "name-clash": ("names that differ in upper and lower case only are one folder on some systems", "Rename one"),
    }),
}  # fmt: skip

_PLATES = {
    **_rules(ERROR, "§plate-md", {
        "plate-empty": ("the plate lists no well, row or column", "List what is there"),
        "plate-line-name": ("a row or column name has other signs than letters and digits, or is there twice", FIX),
        "plate-lines-skipped": ("rows or columns of the physical plate are left out or out of order",
            "List all rows and columns of the plate, and correct rowIndex and columnIndex"),
        "plate-well-path": ("the path of a well is not the name of a row, a slash, the name of a column", FIX),
        "plate-well-index": ("rowIndex or columnIndex is not that of the well's path", FIX),
        "plate-well-repeated": ("a well is listed twice", "Remove one of the two entries"),
        "field-count-low": ("a well has more images than field_count says", FIX),
        "acquisition-id": ("an acquisition has no id of its own, a whole number from 0", FIX),
        "acquisition-fields-low": ("a well has more images of an acquisition than maximumfieldcount says", FIX),
        "well-absent": ("a well is listed and not in the store", "Restore the well, or take it off the list"),
        "well-unlisted": ("a well is in the store and not listed: readers do not see it", LIST),
    }),
    **_rules(WARNING, "§plate-md", {
        "plate-size-unusual": ("rows and columns are those of no vessel in use; some may be left out",
            "List all rows and columns of the physical plate"),
        "field-count-missing": ("the plate has no field_count", "Add the largest number of images of a well"),
        "field-count-high": ("no well has as many images as field_count says", FIX),
        "acquisition-part-missing": ("an acquisition has no name or maximumfieldcount", "Add them"),
        "acquisition-fields-high": ("no well has as many images of an acquisition as maximumfieldcount says", FIX),
    }),
    **_rules(ERROR, "§hcs-layout", {
        "row-document-missing": ("the folder of a row is no Zarr group", "Write its zarr.json, or .zgroup"),
    }),
    **_rules(ERROR, "§well-md", {
        "well-empty": ("a well lists no image", "List its images, or take the well off the plate's list"),
        "well-image-path": ("the path of an image in a well has signs it must not have, or is there twice", FIX),
        "acquisition-missing": ("an image names no acquisition where the plate has several", FIX),
        "acquisition-unknown": ("an image names an acquisition that the plate does not list", FIX),
        "site-absent": ("an image is listed in its well and not in the store", "Restore it, or take it off the list"),
        "site-unlisted": ("an image is in the store and its well does not list it: readers do not see it", LIST),
    }),
}  # fmt: skip

_IMAGES = {
    **_rules(ERROR, "§axes-md", {
        "axes-repeated": ("two axes have one name", FIX),
        "axes-count": ("there are not 2 to 5 axes", FIX),
        "axes-types": ("there are not 2 or 3 axes of space, one of time and one of channel at most", FIX),
        "axes-order": ("axes are not in the order time, channel, space", "Write the arrays in that order"),
    }),
    **_rules(WARNING, "§axes-md", {
        "axis-type-missing": ("an axis says no type", "Add its type: space, time or channel"),
        "axis-unit": ("a unit is no name of UDUNITS for its axis", "Write its UDUNITS name, such as micrometer"),
        "axes-zyx": ("axes of space are not in the order z, y, x", "Write the arrays in that order"),
    }),
    **_rules(INFO, "§axes-md", {
        "axis-unit-missing": ("an axis of space or time has no unit: its scale is in pixels", "Add the unit"),
    }),
    **_rules(ERROR, "§multiscale-md", {
        "multiscales-empty": ("there is no multiscales entry, or none of its levels", FIX),
        "level-repeated": ("two levels are one array", FIX),
        "level-absent": ("a level is listed and its array is not in the store", "Restore it, or take it off the list"),
        "level-axes": ("an array has not as many dimensions as the image has axes", FIX),
        "levels-order": ("a level is larger than the one before", "List the levels from large to small"),
        "level-dtype": ("the levels of an image have different data types", "Write the levels anew from the first"),
        "level-scale": ("the scale of a level does not fit its shape",
            "Write scale × (first size / size) for each axis"),
        "scale-missing": ("a level has no scale, or more than one", FIX),
        "transform-order": ("a translation stands before its scale, or is not the only one", FIX),
        "transform-type": ("a level has a transformation that is neither scale nor translation", FIX),
        "transform-length": ("a scale or translation has not one number per axis", FIX),
        "scale-value": ("a scale is zero, negative, or no number", FIX),
    }),
    **_rules(WARNING, "§multiscale-md", {
        "levels-equal": ("a level is not smaller than the one before", "Remove it from the list"),
        "level-unlisted": ("an array lies in the image and is no level of it", LIST),
        "level-translation": ("a level is shifted against the first, and not by half the difference in pixel size",
            "Write the translation (pixel size - first pixel size) / 2"),
        "level-method-missing": ("the image does not say how its levels were made", "Add type and metadata"),
    }),
    **_rules(ERROR, "§coordinate-systems-md", {
        "system-name": ("a coordinate system has no name of its own", FIX),
        "system-unknown": ("a transformation leads to or from what is not there", FIX),
        "system-differs": ("levels lead to different coordinate systems, or others do not start from theirs", FIX),
    }),
    **_rules(ERROR, "§omero-md", {
        "omero-channels": ("there are not as many channels as the array has", FIX),
        "omero-part-missing": ("a channel has no color or no window; viewers fail or make one up", "Add it"),
        "omero-color": ("the colour of a channel is not six hexadecimal digits", "Write six digits, such as 00FF00"),
        "omero-window": ("the window of a channel is not four numbers with min to max and start to end", FIX),
    }),
    **_rules(WARNING, "§omero-md", {
        "omero-label-missing": ("a channel has no label; viewers make one up", "Add it"),
    }),
}  # fmt: skip

_LABELS = {
    **_rules(ERROR, "§labels-md", {
        "label-absent": ("a label is listed and not in the store", "Restore it, or take it off the list"),
        "label-dtype": ("the pixels of a label are no whole numbers", "Write the label as an integer type"),
        "label-levels": ("a label has not as many levels as its image", "Write the levels of the label anew"),
        "label-shape": ("a label's size is neither that of its image nor 1 on some axis", "Write the label anew"),
        "label-source": ("the image that a label names as its source is not there", FIX),
        "label-value": ("a label value is no whole number or is told twice, or rgba is not four numbers to 255", FIX),
    }),
    **_rules(WARNING, "§labels-md", {
        "label-unlisted": ("a label is in the store and not listed", LIST),
        "label-scale": ("a label and its image differ in scale or translation", FIX),
        "image-label-missing": ("a label has no image-label", "Add image-label with colors and source"),
        "label-colors-missing": ("image-label has no colors", "Add them"),
    }),
    **_rules(ERROR, "§bf2raw", {
        "collection-layout": ("bioformats2raw.layout is not 3", FIX),
        "collection-empty": ("no image of a collection is there", "Restore the images"),
        "series-absent": ("an image is listed in OME/ and not in the store", "Restore it, or take it off the list"),
        "series-repeated": ("an image is listed twice in OME/", FIX),
    }),
    **_rules(WARNING, "§bf2raw", {
        "collection-xml-missing": ("a collection has no OME/METADATA.ome.xml", "Add it"),
        "collection-xml-count": ("OME/METADATA.ome.xml has another number of images than the collection", FIX),
        "series-unlisted": ("an image lies in a collection and OME/ does not list it", LIST),
    }),
}  # fmt: skip

_ARRAYS = {
    **_rules(ERROR, V3, {
        "array-shape": ("the shape of an array is none, or beyond all reason", FIX),
        "array-chunks": ("chunks or shards do not fit the array or each other, or have no size", FIX),
        "array-dtype": ("the data type of an array is none", FIX),
        "array-fill-value": ("the fill value is none of the array's data type", FIX),
        "array-codecs": ("the codecs of an array cannot be used", FIX),
    }),
    **_rules(WARNING, OWN, {
        "array-unread": ("a data type or codec that this reader, and most others, do not know",
            "Read it with the tool that wrote it, or write it with another codec"),
        "pixels-differ": ("a level shows another picture than the first: an object of another image, or blank",
            "Compare the levels in a viewer; restore the object that is wrong"),
        "chunk-huge": ("a chunk is over 2 GiB, which most readers refuse", "Write the array in smaller chunks"),
    }),
    **_rules(WARNING, "§image-layout", {
        "chunk-separator": ("chunks of OME-Zarr 0.4 lie in folders, not in names with dots",
            "Write the array with dimension_separator /"),
    }),
    **_rules(ERROR, "§axes-md", {
        "dimension-names-differ": ("dimension_names of an array are not the names of the axes", FIX),
    }),
    **_rules(WARNING, "§axes-md", {
        "dimension-names-missing": ("an array of Zarr v3 does not name its dimensions", "Add dimension_names"),
    }),
    **_rules(ERROR, "Zarr v3 §chunk-key-encodings", {
        "chunk-key": ("a stored object has a name by another chunk key encoding: readers see zeros instead",
            "Rename it, or correct the array's document"),
        "chunk-outside": ("a stored object lies outside the array's grid: readers do not see it",
            "Correct the array's shape and chunks, or remove the object"),
    }),
    **_rules(ERROR, SHARD, {
        "shard-short": ("a shard is shorter than its index, or empty", RESTORE),
        "shard-index": ("the index of a shard does not agree with its checksum", RESTORE),
        "shard-entry": ("an entry of a shard's index leads out of the shard, or two overlap", RESTORE),
    }),
    **_rules(ERROR, OWN, {
        "chunk-empty": ("a stored object has no bytes", RESTORE),
        "chunk-unreadable": ("a chunk cannot be decoded", RESTORE),
        "shard-hole": ("a chunk is absent from a shard of an array whose writer stored all", RESTORE),
        "chunk-lost": ("an object is absent from an array whose writer stored all", RESTORE),
    }),
    **_rules(INFO, "Zarr v3 §array-metadata", {
        "chunks-absent": ("objects of an array are not stored: their pixels are the fill value",
            "Nothing, where nothing was recorded; else restore them"),
    }),
    **_rules(INFO, OWN, {
        "scene-unread": ("transformations between the images of a scene are not looked at, its images are", ""),
        "no-records": ("no commit records belong to this store: nothing says what was written", ""),
    }),
}  # fmt: skip

_RECORDS = {
    **_rules(ERROR, RECORD, {
        "object-missing": ("a file that a commit record lists is gone", AGAIN),
        "object-size": ("a file has not as many bytes as its commit record says", AGAIN),
        "object-damaged": ("a file has another digest than its commit record says (--deep)", AGAIN),
        "document-missing": ("a document of the plate is gone", CLOSE),
        "document-changed": ("a document of the plate is not what was written", CLOSE),
        "record-damaged": ("a commit record is damaged", "Remove it and the folders of its well, then run again"),
        "ledger-damaged": ("a file of the ledger is damaged", "See its message"),
        "vendor-file": ("the copy of a microscope's own file is gone or damaged", AGAIN),
    }),
    **_rules(WARNING, RECORD, {
        "stranger": ("a file that openhcs did not write, or whose commit record is lost", "Look at it, move it out"),
        "commit-unfinished": ("the commit of a well was cut off", CLOSE),
    }),
    **_rules(INFO, RECORD, {
        "in-use": ("somebody is at work on the output now", "Look again when they are done"),
        "staging-left": ("a run that was cut off left unfinished work", CLOSE),
    }),
}  # fmt: skip

RULES: Mapping[str, Rule] = {**_RECORDS, **_DOCUMENTS, **_PLATES, **_IMAGES, **_LABELS, **_ARRAYS}
"""Code → rule."""
