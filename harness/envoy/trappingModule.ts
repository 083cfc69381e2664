import { upToDate } from '../../scripts/build/compile.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';

/** The module that a request with `x-trap` kills, compiled from the present sources. */
export async function trappingModule(): Promise<string> {
  return (
    await upToDate(inPackage('harness', 'envoy', 'assembly', 'trapping.ts'), inPackage('build', 'trapping.wasm'), [
      '--use',
      'abort=assembly/host/abort',
    ])
  ).path;
}
