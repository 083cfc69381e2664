import { currentModule } from '../build/module.ts';
import { ownAnnotations, productOf } from '../build/product.ts';
import type { BundleOptions, LayoutKind, SbomFormat } from '../oci/index.ts';
import { UsageError } from './command.ts';
import { withAnnotations } from './option.ts';

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
