import { currentModule } from '../build/module.ts';
import { ownAnnotations, productOf } from '../build/product.ts';
import { SBOM_FORMATS, type Annotations, type BundleOptions, type LayoutKind, type SbomFormat } from '../oci/index.ts';
import { UsageError } from './command.ts';

/** What `pack` and `push` take alike. */
export interface Packing {
  readonly layout: LayoutKind;
  /** Another module than the one of this package. Nothing is known about it, so it gets no annotations and no SBOM. */
  readonly module?: string | undefined;
  readonly sbom?: SbomFormat | undefined;
  /** `KEY=VALUE`, beside or instead of our own. */
  readonly annotations?: readonly string[];
  /** Called before the module is compiled, if it has to be. */
  readonly onBuild?: () => void;
}

/** What is to be packed: our own module with what is known about it, or the one that was named. */
export async function bundleOptions({
  layout,
  module,
  sbom,
  annotations = [],
  onBuild,
}: Packing): Promise<BundleOptions> {
  if (module !== undefined) {
    if (sbom !== undefined)
      throw new UsageError("--sbom says what Tollgate's own module is made of; that is not known of --module");
    return { layout, module, annotations: withAnnotations({}, annotations) };
  }
  const own = withAnnotations(await ownAnnotations(), annotations);
  const built = await currentModule(onBuild);
  return {
    layout,
    module: built.path,
    annotations: own,
    ...(sbom === undefined ? {} : { sbom: { format: sbom, product: await productOf(built.sha256) } }),
  };
}

/** `--sbom` alone means the first format. parseArgs has no options with an optional value. */
export function withSbomFormat(args: readonly string[]): string[] {
  return args.flatMap((arg, at) =>
    arg === '--sbom' && !isFormat(args[at + 1]) ? [`--sbom=${SBOM_FORMATS[0]}`] : [arg],
  );
}

export function sbomFormat(text: string | undefined): SbomFormat | undefined {
  if (text === undefined || isFormat(text)) return text;
  throw new UsageError(`--sbom is ${SBOM_FORMATS.join(' or ')}; found "${text}"`);
}

function isFormat(text: string | undefined): text is SbomFormat {
  return SBOM_FORMATS.some((format) => format === text);
}

const KEY = /^[a-z0-9]+([./_-][a-z0-9]+)*$/;

/** `--annotation KEY=VALUE`, several times. An empty value removes the annotation. */
export function withAnnotations(annotations: Annotations, given: readonly string[]): Annotations {
  const result = { ...annotations };
  for (const text of given) {
    const at = text.indexOf('=');
    const key = text.slice(0, Math.max(at, 0));
    if (!KEY.test(key))
      throw new UsageError(
        `--annotation is KEY=VALUE with a key such as org.opencontainers.image.source; found "${text}"`,
      );
    if (at === text.length - 1) delete result[key];
    else result[key] = text.slice(at + 1);
  }
  return result;
}
