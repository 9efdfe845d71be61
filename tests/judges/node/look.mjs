// Zarrita reads level 0 of each image, ome-zarr.js its rendering settings: node look.mjs STORE IMAGE…
import { readFile } from "node:fs/promises";
import path from "node:path";
import * as zarr from "zarrita";
import * as omezarr from "ome-zarr.js";

class Folder {
  constructor(root) {
    this.root = root;
  }
  async get(key) {
    try {
      return new Uint8Array(await readFile(path.join(this.root, key)));
    } catch (error) {
      if (error.code === "ENOENT" || error.code === "EISDIR" || error.code === "ENOTDIR") return undefined;
      throw error;
    }
  }
  async getRange(key, range) {
    const data = await this.get(key);
    if (data === undefined) return undefined;
    if ("suffixLength" in range) return data.slice(data.length - range.suffixLength);
    return data.slice(range.offset, range.offset + range.length);
  }
}

const [store, ...images] = process.argv.slice(2);
const told = {};
for (const image of images.length ? images : [""]) {
  const folder = new Folder(path.join(store, image));
  const { arr, multiscale, omero } = await omezarr.getMultiscaleWithArray(folder, 0);
  const group = await zarr.open(folder, { kind: "group" });
  const array = await zarr.open(group.resolve(multiscale.datasets[0].path), { kind: "array" });
  const pixels = await zarr.get(array);
  if (arr.shape.join() !== pixels.shape.join()) throw new Error("the two see different shapes");
  const channels = omero?.channels ?? [];
  told[image] = {
    shape: pixels.shape,
    dtype: array.dtype,
    pixels: Array.from(pixels.data, Number),
    channels: channels.map((one) => one.label),
    colors: channels.map((one) => one.color),
  };
}
process.stdout.write(JSON.stringify(told));
