import type { Annotations, Bundle } from './bundle.ts';
import { type CredentialSource, dockerCredential } from './credentials.ts';
import { type Digest, endpoint, parseReference } from './reference.ts';
import { bundleOf, type LayoutKind, readWasm } from './image.ts';
import { readLayout, writeLayout } from './layout.ts';
import { pushBundle, type Pushed } from './push.ts';
import type { Resolve } from './reach.ts';
import { RETRY, type RetryPolicy } from './failure.ts';
import { type Product, type SbomFormat, withSbom } from './sbom.ts';

export { InvalidReference, OciError, RegistryError } from './error.ts';
export type { LayoutKind } from './image.ts';
export type { Pushed } from './push.ts';
export type { Annotations, Bundle } from './bundle.ts';
export type { Digest } from './reference.ts';
export { SBOM_FORMATS, type Ingredient, type Product, type SbomFormat } from './sbom.ts';

export interface BundleOptions {
  readonly layout: LayoutKind;
  /** Path of the wasm file, which must be a proxy-wasm module. */
  readonly module: string;
  /** Of the manifest, such as `org.opencontainers.image.source`. */
  readonly annotations?: Annotations;
  /** Beside the image, as a referrer: an SBOM that says what the module is made of. */
  readonly sbom?: { readonly format: SbomFormat; readonly product: Product };
}

/**
 * A module as an image or artifact, in memory. The same module and options give the same bytes. Rejects with an OciError
 * for a file that cannot be read or is not a proxy-wasm module.
 */
export async function bundleModule({ layout, module, annotations = {}, sbom }: BundleOptions): Promise<Bundle> {
  const bundle = bundleOf(layout, await readWasm(module), annotations);
  return sbom === undefined ? bundle : withSbom(bundle, sbom.format, sbom.product);
}

export interface Packed {
  readonly path: string;
  readonly digest: Digest;
  readonly tag: string;
  /** Of everything in the layout's blobs. */
  readonly bytes: number;
  /** Manifest digests of what refers to the image: its SBOM. */
  readonly referrers: readonly Digest[];
}

/**
 * Writes a module as an OCI image layout to the folder `out`, which appears whole or not at all; a layout that is there is
 * replaced. Rejects with an OciError when it cannot be written, or is a folder of something else.
 */
export async function packModule(
  options: BundleOptions & { readonly out: string; readonly tag?: string },
): Promise<Packed> {
  const { out, tag = 'latest' } = options;
  const bundle = await bundleModule(options);
  await writeLayout(out, bundle, tag);
  return {
    path: out,
    digest: bundle.manifest.descriptor.digest,
    tag,
    bytes: sizeOf(bundle),
    referrers: bundle.referrers.map(({ manifest }) => manifest.descriptor.digest),
  };
}

function sizeOf({ manifest, blobs, referrers }: Bundle): number {
  return (
    [manifest, ...blobs].reduce((sum, { descriptor }) => sum + descriptor.size, 0) +
    referrers.reduce((sum, one) => sum + sizeOf(one), 0)
  );
}

export interface PushOptions {
  readonly plainHttp?: boolean;
  /** Hosts that the registry may name as its token service or storage, wherever they are. */
  readonly allowedHosts?: readonly string[];
  readonly resolve?: Resolve;
  /** Otherwise docker's. */
  readonly credentials?: CredentialSource;
  readonly retry?: RetryPolicy;
  readonly signal: AbortSignal;
  readonly note?: (text: string) => void;
}

/**
 * Pushes a bundle to `oci://host/repository[:tag]`: what the registry lacks of it, and the tag last. Throws
 * InvalidReference for an invalid target; rejects with a RegistryError where the registry refuses, and with another
 * OciError for anything else.
 */
export async function pushModule(target: string, bundle: Bundle, options: PushOptions): Promise<Pushed> {
  const reference = parseReference(target);
  const {
    plainHttp = false,
    allowedHosts = [],
    resolve,
    credentials,
    retry = RETRY,
    signal,
    note = () => undefined,
  } = options;
  const source =
    credentials ??
    (() => dockerCredential({ host: reference.host, repository: endpoint(reference).repository }, signal));
  return pushBundle(bundle, reference, {
    plainHttp,
    allowedHosts,
    retry,
    signal,
    note,
    credentials: source,
    ...(resolve === undefined ? {} : { resolve }),
  });
}

/** Pushes the image in a layout on disk, with what refers to it, as `pushModule` does. */
export async function pushLayout(target: string, folder: string, options: PushOptions): Promise<Pushed> {
  return pushModule(target, await readLayout(folder, parseReference(target).tag), options);
}
