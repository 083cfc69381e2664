import { gzipSync } from 'node:zlib';
import { OciError } from './error.ts';
import { readBounded } from '../file/read.ts';
import {
  type Annotations,
  blob,
  type Blob,
  type Bundle,
  distinct,
  IMAGE_CONFIG,
  jsonBlob,
  type Manifest,
  MANIFEST,
  plain,
  TAR_GZIP_LAYER,
  WASM_CONFIG,
  WASM_LAYER,
} from './bundle.ts';
import { digestOf } from './reference.ts';

/** `image`: what any registry and container tool takes. `artifact`: the module as it is, under media types of its own. */
export type LayoutKind = 'image' | 'artifact';

/** The name that Istio, Envoy Gateway and others look for. */
const MODULE_NAME = 'plugin.wasm';

export function bundleOf(kind: LayoutKind, module: WasmFile, annotations: Annotations): Bundle {
  return kind === 'image' ? imageOf(module, annotations) : artifactOf(module, annotations);
}

/** The "compat" variant of the Wasm image specification: an OCI image whose only layer is a gzipped tar with `plugin.wasm`. */
function imageOf(module: WasmFile, annotations: Annotations): Bundle {
  const tar = tarOf(MODULE_NAME, module.bytes);
  const layer = blob(TAR_GZIP_LAYER, storedGzip(tar));
  const config = jsonBlob(IMAGE_CONFIG, {
    // what `docker build` of "FROM scratch, COPY plugin.wasm" says; wasm runs anywhere, and nobody who fetches it looks
    architecture: 'amd64',
    os: 'linux',
    config: { Labels: annotations },
    rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
    history: [{ created_by: `COPY ${MODULE_NAME} ./ # tollgate pack` }],
  });
  return bundle(config, [layer], { 'module.wasm.image/variant': 'compat', ...annotations });
}

/**
 * The "oci" variant: two layers, the module and what it is made for. Istio counts them: with a third one it would take
 * the image for neither variant. The config is there as a layer too, because the specification counts it as one.
 */
function artifactOf(module: WasmFile, annotations: Annotations): Bundle {
  const runtime = { type: 'envoy_proxy', abiVersions: [module.abiVersion], config: { rootIds: [] } };
  const config = jsonBlob(WASM_CONFIG, runtime, { 'org.opencontainers.image.title': 'runtime-config.json' });
  const content = blob(WASM_LAYER, module.bytes, { 'org.opencontainers.image.title': MODULE_NAME });
  return bundle(config, [config, content], annotations);
}

function bundle(config: Blob, layers: Blob[], annotations: Annotations): Bundle {
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: plain(config.descriptor),
    layers: layers.map(({ descriptor }) => descriptor),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  };
  return { manifest: jsonBlob(MANIFEST, manifest), blobs: distinct([config, ...layers]), referrers: [] };
}

const BLOCK = 512;

/**
 * A ustar archive of one file. Nothing of the machine is in it: time 0, owner 0 without names, mode 0644.
 *
 *   header 512 | content, padded with zeros to a multiple of 512 | two blocks of zeros
 */
export function tarOf(name: string, content: Uint8Array): Buffer {
  const padded = Math.ceil(content.length / BLOCK) * BLOCK;
  const archive = Buffer.alloc(BLOCK + padded + 2 * BLOCK);
  writeHeader(archive, name, content.length);
  archive.set(content, BLOCK);
  return archive;
}

/** Offset and width of every field that is not zero; numbers are octal digits with a NUL at the end. */
function writeHeader(archive: Buffer, name: string, bytes: number): void {
  if (Buffer.byteLength(name) > 99) throw new Error('name too long for a ustar header');
  if (bytes >= 8 ** 11) throw new Error('file too large for a ustar header');
  archive.write(name, 0);
  writeOctal(archive, 100, 8, 0o644);
  writeOctal(archive, 108, 8, 0);
  writeOctal(archive, 116, 8, 0);
  writeOctal(archive, 124, 12, bytes);
  writeOctal(archive, 136, 12, 0);
  archive.write('0', 156);
  archive.write('ustar\0' + '00', 257);
  // the checksum is computed as if its own field were spaces
  archive.write(' '.repeat(8), 148);
  const sum = archive.subarray(0, BLOCK).reduce((total, byte) => total + byte, 0);
  archive.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
}

function writeOctal(archive: Buffer, offset: number, width: number, value: number): void {
  archive.write(`${value.toString(8).padStart(width - 1, '0')}\0`, offset);
}

/** The most that one stored block holds: its length has 16 bits. */
const STORED_BYTES = 0xffff;

/** Magic, deflate, no flags, no time, no extra flags, operating system "unknown". */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);

/**
 * gzip whose bytes depend on the input alone. What a compressor finds depends on zlib's version, on the build of Node and
 * on the processor (the matchers of zlib's forks use its vector instructions), and so would the digest of the image. So the content is
 * stored, not compressed: a module is some tens of kilobytes, and a registry moves those in one go.
 *
 *   header 10 | { last 1, length 2, ~length 2, bytes }… | CRC-32 4, length 4
 */
export function storedGzip(content: Uint8Array): Buffer {
  const parts: Uint8Array[] = [HEADER];
  for (let at = 0; at === 0 || at < content.length; at += STORED_BYTES) {
    const piece = content.subarray(at, at + STORED_BYTES);
    const head = Buffer.alloc(5);
    head.writeUInt8(at + STORED_BYTES >= content.length ? 1 : 0, 0);
    head.writeUInt16LE(piece.length, 1);
    head.writeUInt16LE(piece.length ^ 0xffff, 3);
    parts.push(head, piece);
  }
  // the trailer is about the content, whatever the compression: zlib's is as good as our own
  parts.push(gzipSync(content, { level: 0 }).subarray(-8));
  return Buffer.concat(parts);
}

/** The part of the WebAssembly API used here: Node's types leave it to the DOM's. */
interface WebAssemblyApi {
  readonly Module: { new (bytes: Uint8Array): object; exports(module: object): { name: string }[] };
}
const { Module } = (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly;

/** Ours has about 70 KB; Istio takes 256 MiB at most. */
const MAX_MODULE_BYTES = 256 * 1024 * 1024;
const ABI_EXPORT = /^proxy_abi_version_(\d+)_(\d+)_(\d+)$/;

interface WasmFile {
  readonly bytes: Uint8Array;
  /** Of proxy-wasm, such as `0.2.1`. */
  readonly abiVersion: string;
}

/**
 * A module that an Envoy can load, as far as that can be told without one: valid wasm, with a proxy-wasm ABI. With
 * anything else in it, an image would be found to be wrong only when every proxy refuses it.
 */
export async function readWasm(path: string): Promise<WasmFile> {
  const bytes = await readBounded(path, MAX_MODULE_BYTES).catch((error: Error) => {
    throw new OciError(`${path}: ${error.message}`);
  });
  const abiVersion = abiOf(path, bytes);
  return { bytes, abiVersion };
}

function abiOf(path: string, bytes: Uint8Array): string {
  let names: string[];
  try {
    names = Module.exports(new Module(bytes)).map(({ name }) => name);
  } catch (error) {
    throw new OciError(`${path}: not a WebAssembly module: ${(error as Error).message}`);
  }
  for (const name of names) {
    const version = ABI_EXPORT.exec(name);
    if (version !== null) return version.slice(1).join('.');
  }
  throw new OciError(`${path}: not a proxy-wasm module: exports no proxy_abi_version_…`);
}
