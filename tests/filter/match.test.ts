import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pluginConfig } from '../../harness/config.ts';
import { Random } from '../../harness/random.ts';
import { FilterModule } from './filterModule.ts';
import { linearMatch, type Mount } from './linearMatch.ts';

const NOW_MS = Date.UTC(2026, 0, 15, 12);
const filter = new FilterModule();

interface Api {
  readonly name: string;
  readonly hosts: string[] | null;
  readonly paths: string[];
}

/** APIs that anybody may call, each with a route that shows what its prefix covered. */
function configOf(apis: readonly Api[]): string {
  return JSON.stringify({
    ...pluginConfig([]),
    unmatched: 'allow',
    consumers: [],
    apis: apis.map(({ name, hosts, paths }) => ({
      name,
      paths,
      plans: [],
      anonymous: 'allow',
      ...(hosts === null ? {} : { hosts }),
      routes: [{ name: 'all', methods: ['GET'], rewritePrefix: '/covered' }],
    })),
  });
}

function mountsOf(apis: readonly Api[]): Mount[] {
  return apis.flatMap(({ name, hosts, paths }) =>
    (hosts ?? [null]).flatMap((host) => paths.map((path) => ({ host, path, api: name }))),
  );
}

/** What the module made of a request: the API, its doubt, and the path that goes on. */
function judged(host: string, path: string): string {
  const { reason, log, edits } = filter.decide(
    [
      [':method', 'GET'],
      [':authority', host],
      [':path', path],
    ],
    NOW_MS,
  );
  if (reason !== 'anonymous') return reason;
  const api = / api=(\S+)/.exec(log)![1]!;
  return `${api} ${edits.find((edit) => edit[1] === ':path')![2]!}`;
}

function expected(mounts: readonly Mount[], host: string, path: string): string {
  const { api, doubtful, covered } = linearMatch(mounts, host, path);
  if (doubtful) return 'invalid_path';
  return api === null ? 'unmatched' : `${api} /covered${path.slice(covered)}`;
}

const LABELS = ['a', 'b', 'com', 'api', 'eu'];
const SEGMENTS = ['a', 'A', 'b', 'pets', 'Pets', 'PETS', 'v1', 'v10', 'V1', 'x.y', 'a-b', 'ab'];
const TAILS = ['', '', '', ';x', ';', ';a=b', '%3Fq', '%23f', '%3f', 'x', '%2B', '%3B'];

function someHost(random: Random): string {
  return Array.from({ length: 1 + random.below(4) }, () => random.pick(LABELS)).join('.');
}

function somePath(random: Random, most: number): string {
  const path = Array.from({ length: random.below(most + 1) }, () => `/${random.pick(SEGMENTS)}`).join('');
  return path === '' || random.below(8) === 0 ? `${path}/` : path;
}

function someApi(random: Random, number: number): Api {
  const hosts = Array.from({ length: 1 + random.below(3) }, () =>
    random.below(3) === 0 ? `*.${someHost(random)}` : someHost(random),
  );
  const paths = Array.from({ length: 1 + random.below(4) }, () => somePath(random, 4));
  return { name: `api-${number}`, hosts: random.below(3) === 0 ? null : hosts, paths };
}

/** A path near the policy's: one of its own or any other, spelt in another case, with parameters, cut or gone on with. */
function somePathNear(random: Random, mounts: readonly Mount[]): string {
  const known = random.below(3) === 0 ? somePath(random, 5) : random.pick(mounts).path;
  const segments = known
    .split('/')
    .slice(1)
    .filter((segment) => segment !== '');
  const spelt = segments.map((segment) => {
    const kind = random.below(8);
    const text = kind === 0 ? segment.toUpperCase() : kind === 1 ? segment.toLowerCase() : segment;
    return `/${text}${random.pick(TAILS)}`;
  });
  const more = random.below(3) === 0 ? somePath(random, 2) : random.below(4) === 0 ? '/' : '';
  return `${spelt.join('')}${more}` || '/';
}

/** The judged form of what `somePathNear` makes: escapes of `;` and `+` decoded, the others' digits in upper case. */
function judgedForm(path: string): string {
  return path.replaceAll('%2B', '+').replaceAll('%3B', ';').replaceAll('%3f', '%3F');
}

describe('the trie of hosts and paths', () => {
  it('finds what a walk over all pairs finds', () => {
    const seen = new Map<string, number>();
    for (let seed = 1; seed <= 400; seed++) {
      const random = new Random(seed);
      const apis = Array.from({ length: 1 + random.below(seed % 10 === 0 ? 60 : 6) }, (_, i) => someApi(random, i));
      const mounts = mountsOf(apis);
      assert.equal(filter.configure(configOf(apis)), null);
      for (let i = 0; i < 100; i++) {
        const named = random.pick(mounts).host;
        const host =
          named === null || random.below(3) === 0
            ? someHost(random)
            : named.startsWith('*.')
              ? `${someHost(random)}${named.slice(1)}`
              : named;
        const path = somePathNear(random, mounts);
        const result = judged(host, path);
        // What is rewritten is in the caller's spelling behind the prefix; the judged form of it is compared.
        assert.equal(judgedForm(result), expected(mounts, host, judgedForm(path)), `seed ${seed}: ${host} ${path}`);
        const kind = /^\S+$/.test(result) ? result : 'matched';
        seen.set(kind, (seen.get(kind) ?? 0) + 1);
      }
    }
    // A test that only ever sees one outcome proves little.
    for (const kind of ['matched', 'invalid_path', 'unmatched'])
      assert.ok((seen.get(kind) ?? 0) > 1000, `${kind}: ${seen.get(kind)}`);
  });
});
