import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readPolicy } from '../../../scripts/policy/index.ts';
import { inPackage } from '../../../scripts/packageRoot.ts';

/** What rivals start from; the comments must outlive them. */
export const CONTESTED = `policy: shop # the shop
apis: { pets: { paths: [/v1], plans: [free] } }
plans: { free: }
consumers:
  acme: # first
    plan: free
    keys: []
# the end
`;

/** Keys by what the processes said of them, in the order in which they said it. */
export interface Said {
  readonly shown: Set<string>;
  readonly issued: Set<string>;
  readonly revoking: Set<string>;
  readonly revoked: Set<string>;
  readonly refused: string[];
}

export interface Rival {
  readonly ended: Promise<number | null>;
  kill(): void;
}

export function nothingSaid(): Said {
  return { shown: new Set(), issued: new Set(), revoking: new Set(), revoked: new Set(), refused: [] };
}

/** Starts a process that issues and revokes keys; what it says is added to `said`. */
export function startRival(file: string, name: string, seed: number, steps: number, said: Said): Rival {
  const child = spawn(process.execPath, ['--import', 'tsx', inPackage('tests', 'scripts', 'rivals', 'rival.ts'), file, name, String(seed), String(steps)], { stdio: ['ignore', 'pipe', 'inherit'] });
  listen(child, said);
  return { ended: new Promise((resolve) => child.on('close', resolve)), kill: () => void child.kill('SIGKILL') };
}

/** A line that a killed process did not finish says nothing. */
function listen(child: ChildProcess, said: Said): void {
  let rest = '';
  child.stdout!.on('data', (bytes: Buffer) => {
    const lines = (rest + bytes.toString()).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      const at = line.indexOf(' ');
      const word = line.slice(0, at) as keyof Said;
      const rest = line.slice(at + 1);
      if (word === 'refused') said.refused.push(rest);
      else said[word].add(rest);
    }
  });
}

/** What is wrong with the file after all that was said, in words; nothing when all is well. */
export function lostIn(file: string, said: Said): string[] {
  const text = readFileSync(file, 'utf8');
  const { policy, problems } = readPolicy(text, file);
  if (policy === null) return [`the file is no policy any more: ${problems[0]?.rule}`];
  const keys = new Map(Object.values(policy.consumers).flatMap((consumer) => consumer.keys.map((key) => [key.id, key] as const)));
  return [
    ...CONTESTED.split('\n').flatMap((line) => line.split('#').slice(1)).filter((comment) => !text.includes(`#${comment}`)).map((comment) => `the comment${comment} is gone`),
    ...[...said.issued].filter((id) => !keys.has(id)).map((id) => `the issued key ${id} is gone`),
    ...[...said.revoked].filter((id) => keys.get(id)?.revoked !== true).map((id) => `the revocation of ${id} is gone`),
    ...[...keys.values()].filter((key) => key.revoked && !said.revoking.has(key.id)).map((key) => `nobody revoked ${key.id}`),
    ...[...keys.keys()].filter((id) => !said.shown.has(id)).map((id) => `the key ${id} is stored and was never shown`),
    ...said.refused.map((message) => `a command said: ${message}`),
  ];
}
