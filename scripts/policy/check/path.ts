import { quotedVisibly } from './secret.ts';

/** A place in a policy: field names and list indexes from the root. */
export type Path = readonly (string | number)[];

const PLAIN_SEGMENT = /^[A-Za-z0-9_-]+$/;

/** `apis.petstore.routes[0].when`; names that hold dots stand in brackets: `consumers["bob@example.com"]`. */
export function printPath(path: Path): string {
  return path.map(printSegment).join('').replace(/^\./, '');
}

function printSegment(segment: string | number): string {
  if (typeof segment === 'number') return `[${segment}]`;
  return PLAIN_SEGMENT.test(segment) ? `.${segment}` : `[${quotedVisibly(segment)}]`;
}
