import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readPolicy } from '../../scripts/policy/index.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';

/** The policy that rivals start from; its comments must survive their edits. */
export const CONTESTED = `policy: shop # the shop
upstreams: { v1: { url: "http://127.0.0.1:9" } }
apis: { pets: { paths: [/v1], plans: [free], upstream: v1 } }
plans: { free: }
consumers:
  acme: # first
    plan: free
    keys: []
# the end
`;

/** Keys of one import. */
export const IMPORTED = 3;

/** What the processes have reported about keys, in order. */
export interface Said {
  /** Ids of keys that were shown, with the key itself. */
  readonly shown: Map<string, string>;
  readonly issued: Set<string>;
  readonly revoking: Set<string>;
  readonly revoked: Set<string>;
  readonly refused: string[];
}

export interface Rival {
  /** Resolves at its first line of output: on a busy machine that takes seconds. */
  readonly begun: Promise<void>;
  readonly ended: Promise<number | null>;
  kill(): void;
}

export function nothingSaid(): Said {
  return { shown: new Map(), issued: new Set(), revoking: new Set(), revoked: new Set(), refused: [] };
}

/** Starts a process that issues, imports, rotates and revokes keys; its output is added to `said`. */
export function startRival(file: string, name: string, seed: number, steps: number, said: Said): Rival {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', inPackage('harness', 'rivals', 'rival.ts'), file, name, String(seed), String(steps)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  listen(child, said);
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const begun = new Promise<void>((resolve) => child.stdout.once('data', () => resolve()));
  return { begun: Promise.race([begun, ended.then(() => undefined)]), ended, kill: () => void child.kill('SIGKILL') };
}

/** Ignores a last line that a killed process did not finish. */
function listen(child: ChildProcess, said: Said): void {
  let rest = '';
  child.stdout!.on('data', (bytes: Buffer) => {
    const lines = (rest + bytes.toString()).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      const [word, id = '', key = ''] = line.split(' ') as [keyof Said, string?, string?];
      if (word === 'refused') said.refused.push(line);
      else if (word === 'shown') said.shown.set(id, key);
      else if (word in said) said[word].add(id);
    }
  });
}

/** What is wrong with the file, given all reports; empty when nothing is. */
export function lostIn(file: string, said: Said): string[] {
  const text = readFileSync(file, 'utf8');
  const { policy, problems } = readPolicy(text, file);
  if (policy === null) return [`the file is no policy any more: ${problems[0]?.rule}`];
  const keys = new Map(
    Object.values(policy.consumers).flatMap((consumer) => consumer.keys.map((key) => [key.id, key] as const)),
  );
  return [
    ...CONTESTED.split('\n')
      .flatMap((line) => line.split('#').slice(1))
      .filter((comment) => !text.includes(`#${comment}`))
      .map((comment) => `the comment${comment} is gone`),
    ...[...said.issued].filter((id) => !keys.has(id)).map((id) => `the issued key ${id} is gone`),
    ...[...said.revoked].filter((id) => keys.get(id)?.revoked !== true).map((id) => `the revocation of ${id} is gone`),
    ...[...keys.values()]
      .filter((key) => key.revoked && !said.revoking.has(key.id))
      .map((key) => `nobody revoked ${key.id}`),
    ...[...keys.keys()].filter((id) => !said.shown.has(id)).map((id) => `the key ${id} is stored and was never shown`),
    ...halves([...keys.keys()]).map((group) => `some of the imported keys ${group}.0 … are missing`),
    ...said.refused.map((message) => `a command ${message}`),
  ];
}

/** Imports of which only some keys were stored. */
function halves(ids: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const id of ids) {
    const group = /^(.*)\.\d+$/.exec(id)?.[1];
    if (group !== undefined) counts.set(group, (counts.get(group) ?? 0) + 1);
  }
  return [...counts].filter(([, count]) => count !== IMPORTED).map(([group]) => group);
}
