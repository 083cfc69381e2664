import { currentModule } from '../build/module.ts';
import { ownAnnotations, productOf, withGiven } from './product.ts';
import type { Annotations, Bundle } from './bundle.ts';
import { type CredentialSource, dockerCredential } from './credentials.ts';
import { type Digest, endpoint, parseReference } from './reference.ts';
import { bundleOf, type LayoutKind, readWasm } from './image.ts';
import { readLayout, writeLayout } from './layout.ts';
import { pushBundle, type Pushed } from './push.ts';
import type { Resolve } from './reach.ts';
import { RETRY, type RetryPolicy } from './failure.ts';
import { type SbomFormat, withSbom } from './sbom.ts';

export { InvalidReference, OciError, RegistryError } from './error.ts';
export type { LayoutKind } from './image.ts';
export type { Pushed } from './push.ts';
export { SBOM_FORMATS, type SbomFormat } from './sbom.ts';

export interface BundleOptions {
  readonly layout: LayoutKind;
  /** Another module than the one of this package. Nothing is known about it, so it gets no annotations and no SBOM. */
  readonly module?: string;
  readonly sbom?: SbomFormat;
  /** `KEY=VALUE`, beside or instead of our own. */
  readonly annotations?: readonly string[];
  readonly onBuild?: () => void;
}

/** The module as an image or artifact, in memory. The same module, commit and options give the same bytes. */
export async function bundleModule(options: BundleOptions): Promise<Bundle> {
  const { layout, module, sbom, annotations = [] } = options;
  if (module !== undefined) return bundleOf(layout, await readWasm(module), withGiven({}, annotations));
  const own: Annotations = withGiven(await ownAnnotations(), annotations);
  const built = await currentModule(options.onBuild);
  const bundle = bundleOf(layout, await readWasm(built.path), own);
  return sbom === undefined ? bundle : withSbom(bundle, sbom, await productOf(built.sha256));
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

/** Writes the module as an OCI image layout to the folder `out`. */
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

/** Pushes a bundle to `oci://host/repository[:tag]`. */
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

/** Pushes the image in a layout on disk, with what refers to it. */
export async function pushLayout(target: string, folder: string, options: PushOptions): Promise<Pushed> {
  return pushModule(target, await readLayout(folder, parseReference(target).tag), options);
}
