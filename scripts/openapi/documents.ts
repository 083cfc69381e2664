import { realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { inputName } from '../file/openPolicy.ts';
import { decode, readBounded, Unreadable } from '../file/read.ts';
import { OpenApiError } from './error.ts';
import { fetchBounded } from './fetch.ts';
import { type Losses, type Pointer, quoted } from './loss.ts';
import { valueOf } from './text.ts';

const MAX_FILE_BYTES = 64 * 1024 * 1024;
const MAX_TOTAL_BYTES = 128 * 1024 * 1024;
const MAX_FILES = 512;
/** A reference that leads to a reference, and so on. */
const MAX_HOPS = 16;

const OUTSIDE_RULE = 'lies outside the folder of the document; --root names a folder above it';

/** A file of the document, as a plain value. */
export interface Source {
  /** What messages call it. */
  readonly name: string;
  readonly value: unknown;
  /** Where it lies: a real path, or an address. Null for standard input, which lies nowhere. */
  readonly place: { readonly path: string } | { readonly url: URL } | null;
}

/** A value of a document, and where it stands. */
export interface Spot {
  readonly source: Source;
  readonly pointer: Pointer;
  readonly value: unknown;
}

/** How references may be followed. */
export interface FileReach {
  /** Files lie below this folder. Default: that of the document. */
  readonly root?: string | undefined;
  /** Whether addresses of the internet may be read. */
  readonly net: boolean;
  readonly stdin: (mostBytes: number) => Promise<Uint8Array>;
  readonly signal: AbortSignal;
  /** Told of each file before it is read, and of the bytes read so far. */
  readonly onFile?: (name: string) => void;
}

/** The document and the files beside it, each read once, and only when a reference leads there. */
export class Documents {
  readonly #sources = new Map<string, Source | string>();
  #bytes = 0;
  /** Of the document itself. */
  #folder: string | null = null;
  #name = '';

  constructor(
    private readonly reach: FileReach,
    private readonly losses: Losses,
  ) {}

  /** The document itself: a file, `-`, or an address. Rejects with OpenApiError. */
  async open(file: string): Promise<Spot> {
    const url = /^https?:\/\//i.test(file);
    if (url && !this.reach.net)
      throw new OpenApiError(`${file}: is on the network, which is read with --allow-net only`);
    const source = url ? await this.#fetch(new URL(file)) : await this.#read(file, inputName(file));
    return { source, pointer: [], value: source.value };
  }

  /**
   * What stands there, or at the end of the references that stand there. Null after reporting why there is nothing: what a
   * reference cannot be followed to is lost, not fatal.
   */
  async follow(spot: Spot): Promise<Spot | null> {
    let at = spot;
    for (let hops = 0; ; hops++) {
      const reference = referenceIn(at.value);
      if (reference === null) return at;
      if (hops === MAX_HOPS) return this.#lost(spot, 'is a chain of references that does not end');
      if (typeof reference !== 'string')
        return this.#lost(spot, `must be a string in "$ref"; found ${quoted(reference)}`);
      const next = await this.#target(at, reference);
      if (typeof next === 'string') return this.#lost(spot, next);
      at = next;
    }
  }

  #lost({ source, pointer }: Spot, rule: string): null {
    this.losses.add(source.name, pointer, rule);
    return null;
  }

  /** Where a reference leads, or why it leads nowhere. */
  async #target(from: Spot, reference: string): Promise<Spot | string> {
    const [, address, fragment = ''] = /^([^#]*)(?:#(.*))?$/s.exec(reference)!;
    const source = address === '' ? from.source : await this.#neighbour(from.source, address!);
    if (typeof source === 'string') return `cannot be followed to ${quoted(reference)}: ${source}`;
    const pointer = pointerOf(fragment);
    if (pointer === null) return `cannot be followed to ${quoted(reference)}: is no JSON pointer`;
    let { value } = source;
    for (const segment of pointer) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, segment))
        return `cannot be followed to ${quoted(reference)}: there is nothing`;
      value = (value as Record<string, unknown>)[segment];
    }
    return { source, pointer, value };
  }

  /** The file that a reference names, relative to the one that it stands in; or why it is not read. */
  async #neighbour(from: Source, address: string): Promise<Source | string> {
    if (/^[a-z][a-z0-9+.-]+:/i.test(address) || address.startsWith('//')) return this.#remote(from, address);
    if (from.place === null) return 'standard input has no files beside it; name the file instead';
    if ('url' in from.place) return this.#remote(from, address);
    const path = decoded(address);
    if (path === null || /[\0\\]/.test(path) || isAbsolute(path)) return 'is not a file beside the document';
    const wanted = resolve(dirname(from.place.path), path);
    const folder = resolve(this.reach.root ?? this.#folder!);
    const root = await realpath(folder).catch(() => folder);
    // before the file system is asked, so that an answer does not tell what is there
    if (!isBelow(wanted, root) && !isBelow(wanted, folder)) return OUTSIDE_RULE;
    const real = await realpath(wanted).catch(() => null);
    if (real === null) return 'no such file';
    if (!isBelow(real, root)) return OUTSIDE_RULE;
    return this.#once(real, () => this.#read(real, join(dirname(this.#name), relative(root, real))));
  }

  async #remote(from: Source, address: string): Promise<Source | string> {
    const base = from.place !== null && 'url' in from.place ? from.place.url.href : undefined;
    if (!URL.canParse(address, base)) return 'is no address';
    if (!this.reach.net) return 'is on the network, which is read with --allow-net only';
    const url = new URL(address, base);
    url.hash = '';
    return this.#once(url.href, () => this.#fetch(url));
  }

  /** Each file once, also one that cannot be read. */
  async #once(key: string, read: () => Promise<Source>): Promise<Source | string> {
    const known = this.#sources.get(key);
    if (known !== undefined) return known;
    if (this.#sources.size >= MAX_FILES) return `the document must have at most ${MAX_FILES} files`;
    const source = await read().catch((error: unknown) => {
      if (error instanceof OpenApiError) return error.message;
      throw error;
    });
    this.#sources.set(key, source);
    return source;
  }

  async #read(file: string, name: string): Promise<Source> {
    this.reach.onFile?.(name);
    const bytes = await this.#bytesOf(file, name);
    // a link to the document has its own neighbours
    const place = file === '-' ? null : { path: resolve(file) };
    if (this.#name === '') {
      this.#folder = place === null ? null : dirname(place.path);
      this.#name = name;
    }
    const source = { name, value: this.#valueOf(bytes, name), place };
    if (place !== null) this.#sources.set(await realpath(file).catch(() => place.path), source);
    return source;
  }

  async #bytesOf(file: string, name: string): Promise<Uint8Array> {
    try {
      return file === '-' ? await this.reach.stdin(MAX_FILE_BYTES) : await readBounded(file, MAX_FILE_BYTES);
    } catch (error) {
      if (error instanceof Unreadable) throw new OpenApiError(`${name}: ${error.message}`);
      throw error;
    }
  }

  async #fetch(url: URL): Promise<Source> {
    this.reach.onFile?.(url.href);
    const name = quoted(url.href).slice(1, -1);
    const fetched = await fetchBounded(url, MAX_FILE_BYTES, this.reach.signal);
    if ('rule' in fetched) throw new OpenApiError(`${name}: ${fetched.rule}`);
    const source = { name, value: this.#valueOf(fetched.bytes, name), place: { url: fetched.url } };
    this.#name ||= name;
    this.#sources.set(url.href, source);
    return source;
  }

  #valueOf(bytes: Uint8Array, name: string): unknown {
    this.#bytes += bytes.length;
    if (this.#bytes > MAX_TOTAL_BYTES)
      throw new OpenApiError(`${name}: all files together must have at most ${MAX_TOTAL_BYTES} bytes`);
    const text = decode(bytes);
    if ('rule' in text) throw new OpenApiError(`${name}${text.line > 0 ? `:${text.line}` : ''}: ${text.rule}`);
    return valueOf(text.text, name);
  }
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

/** What stands in `$ref`; null where there is none. */
function referenceIn(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, '$ref')) return null;
  return (value as Record<string, unknown>)['$ref'];
}

/** The segments of a pointer such as `/paths/~1pets`, percent-encoded as in an address; null for anything else. */
function pointerOf(fragment: string): string[] | null {
  const text = decoded(fragment);
  if (text === null || (text !== '' && !text.startsWith('/'))) return null;
  return text
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
