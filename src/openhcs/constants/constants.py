"""The enums a user configures with.

Each value is the text that TOML files, the command line and messages use.
"""

from __future__ import annotations

from enum import Enum


class Backend(Enum):
    """Where a value can live."""

    MEMORY = "memory"
    DISK = "disk"
    ZARR = "zarr"


class MaterializationBackend(Enum):
    """Where results can be kept for good."""

    DISK = "disk"
    ZARR = "zarr"


class VariableComponents(Enum):
    """A dimension of a plate that a step may stack."""

    SITE = "site"
    CHANNEL = "channel"
    Z_INDEX = "z_index"
    TIMEPOINT = "timepoint"
    TIME = "timepoint"  # noqa: PIE796 - the alias users know
    WELL = "well"


class GroupBy(Enum):
    """The dimension whose values pick a function in a ``{"1": f}`` pattern."""

    SITE = "site"
    CHANNEL = "channel"
    Z_INDEX = "z_index"
    TIMEPOINT = "timepoint"
    TIME = "timepoint"  # noqa: PIE796 - the alias users know
    WELL = "well"


class Microscope(Enum):
    """The layout a plate folder is read as; ``AUTO`` finds out."""

    AUTO = "auto"
    IMAGEXPRESS = "imagexpress"
    IMAGEXPRESS_HCSAI = "imagexpress_hcsai"
    OPERA_PHENIX = "opera_phenix"
    CELLVOYAGER = "cellvoyager"
    OPENHCS_TIFF = "openhcs_tiff"
    OME_ZARR = "ome_zarr"
    MICRO_MANAGER = "micro_manager"
    OME_TIFF = "ome_tiff"
    SCANR = "scanr"
    CELLOMICS = "cellomics"
    SBS = "sbs"
    EMBL_ALMF = "embl_almf"
    LEICA_MATRIX = "leica_matrix"
    BIOIO = "bioio"
    GENERIC = "generic"


class ZarrCompressor(Enum):
    """How pixels are compressed in a Zarr array."""

    ZSTD = "zstd"
    LZ4 = "lz4"
    BLOSC = "blosc"
    ZLIB = "zlib"
    NONE = "none"


class ZarrChunkStrategy(Enum):
    """How an array is cut into stored objects."""

    SINGLE = "single"
    AUTO = "auto"
    CUSTOM = "custom"


class WellFilterMode(Enum):
    """Whether a well filter names the wells to keep or to leave out."""

    INCLUDE = "include"
    EXCLUDE = "exclude"
