import { upToDate } from '../../scripts/build/compile.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { KEY } from '../identity.ts';
import { EMPTY_MODULE, NO_FILTER, type Variant } from '../variant.ts';

/** No filter, and modules that do only what any wasm filter must do: the lower bound of the cost. */
export const floor: readonly Variant[] = [
  { name: NO_FILTER, title: 'no filter', family: 'floor', status: 200, key: KEY, services: [] },
  module(EMPTY_MODULE, 'wasm: empty module', 'empty'),
  module('floor-entries', 'wasm: empty, also on the response and at the end', 'entries'),
  module('floor-read', 'wasm: reads the headers', 'read'),
  module('floor-single-4', 'wasm: reads 4 headers one by one', 'single4'),
  module('floor-replace-1', 'wasm: reads, sets 1 header', 'replace1'),
  module('floor-replace-3', 'wasm: reads, sets 3 headers', 'replace3'),
  module('floor-replace-5', 'wasm: reads, sets 5 headers', 'replace5'),
  module('floor-add-5', 'wasm: reads, adds 5 headers', 'add5'),
  module('floor-pairs-5', 'wasm: reads, sets 5 headers in one call', 'pairs5'),
  module('floor-response', 'wasm: reads, sets 5, and 2 on the response', 'response', 'x-floor-0001'),
  module('floor-lean-key', 'wasm: calls for a key, nothing told', 'leanKey'),
  module('floor-lean-full', 'wasm: calls for key, 3 quotas, only the route told', 'leanFull'),
  module('floor-calls', 'wasm: all calls that Tollgate makes', 'calls', 'x-floor-5'),
];

function module(name: string, title: string, source: string, proof?: string): Variant {
  return {
    name,
    title,
    family: 'floor',
    status: 200,
    key: KEY,
    services: [],
    ...(proof === undefined ? {} : { proof }),
    module: async () =>
      (await upToDate(inPackage('bench', 'modules', `${source}.ts`), inPackage('build', 'bench', `${source}.wasm`)))
        .path,
    configuration: () => '',
  };
}
