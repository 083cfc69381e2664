import { get } from 'node:http';
import { Refusal } from '../scripts/cli/command.ts';
import { KEY_HEADER, PATH, REQUEST_HEADERS } from './identity.ts';
import type { Variant } from './variant.ts';

/** The target of a load, and its key. */
export interface Target {
  readonly url: string;
  readonly key: string;
}

export function targetOf(variant: Variant, port: number): Target {
  return { url: `http://127.0.0.1:${port}${PATH}`, key: variant.key };
}

/** `name: value` lines, for load generators. */
export function headersOf({ key }: Target): string[] {
  return [...Object.entries(REQUEST_HEADERS), [KEY_HEADER, key]].map(([name, value]) => `${name}: ${value}`);
}

/** Sends one request through a variant, which must give the expected answer before it is measured. Returns the status. */
export async function probe(variant: Variant, port: number): Promise<number> {
  const { status, headers } = await call(targetOf(variant, port));
  if (variant.status !== null && status !== variant.status)
    throw new Refusal(`${variant.name}: answered ${status}; expected ${variant.status}`);
  if (variant.proof !== undefined && headers[variant.proof] === undefined)
    throw new Refusal(`${variant.name}: no ${variant.proof} in the response`);
  if (variant.refuses !== undefined) {
    const other = await call({ ...targetOf(variant, port), key: variant.refuses });
    if (other.status !== 401) throw new Refusal(`${variant.name}: answered ${other.status} to a wrong key`);
  }
  return status;
}

function call({ url, key }: Target): Promise<{ status: number; headers: NodeJS.Dict<string | string[]> }> {
  return new Promise((resolve, reject) => {
    const request = get(
      url,
      { agent: false, timeout: 5000, headers: { ...REQUEST_HEADERS, [KEY_HEADER]: key } },
      (response) => {
        response
          .resume()
          .on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers }))
          .on('error', reject);
      },
    );
    request.on('error', reject).on('timeout', () => request.destroy(new Error('no answer')));
  });
}
