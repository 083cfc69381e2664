// One of several processes that issue, import, rotate and revoke keys in the same policy, until it is killed: rival.ts FILE NAME SEED STEPS.
// Prints a line for each thing that is done: `shown ID KEY`, `issued ID`, `revoked ID`; or `refused …` with a command's message.
import { writeSync } from 'node:fs';
import { Readable } from 'node:stream';
import type { Io } from '../../scripts/cli/command.ts';
import { main } from '../../scripts/cli/tollgate.ts';
import { IMPORTED } from './contest.ts';
import { Random } from '../random.ts';

const [file = '', name = '', seed = '0', steps = '0'] = process.argv.slice(2);
const random = new Random(Number(seed));
const active: string[] = [];
const say = (line: string): void => void writeSync(1, `${line}\n`);

say('begun');
for (let step = 0; step < Number(steps); step++) {
  if (active.length > 0 && random.chance(0.4)) await revoke(active.splice(random.below(active.length), 1)[0]!);
  else if (random.chance(0.2)) await importSome(`${name}-${step}`);
  else if (random.chance(0.2)) await rotate();
  else await issue(`${name}-${step}`);
}

async function issue(id: string): Promise<void> {
  const consumer = random.chance(0.5) ? 'acme' : `new-${name}`;
  const code = await run(
    ['keys', 'issue', '--consumer', consumer, ...(consumer === 'acme' ? [] : ['--plan', 'free']), '--id', id, file],
    { onPrinted: (key) => say(`shown ${id} ${key.trim()}`) },
  );
  if (code !== 0) return;
  say(`issued ${id}`);
  active.push(id);
}

/** Imports several keys, of which all must be stored or none. */
async function importSome(group: string): Promise<void> {
  const ids = Array.from({ length: IMPORTED }, (_, index) => `${group}.${index}`);
  for (const id of ids) say(`shown ${id} legacy-${id}`);
  const rows = ids.map((id, index) => `${index === 0 ? 'acme' : `new-${name}-${index}`},legacy-${id},${id}\n`).join('');
  if ((await run(['keys', 'import', '--plan', 'free', file], { stdin: `consumer,key,id\n${rows}` })) !== 0) return;
  for (const id of ids) say(`issued ${id}`);
  active.push(...ids);
}

/** Rotates one of the keys that this process issued; the old one still works during the overlap. */
async function rotate(): Promise<void> {
  const old = active.find((id) => !id.includes('.'));
  if (old === undefined) return;
  for (const consumer of ['acme', `new-${name}`]) {
    let shown = '';
    const code = await run(['keys', 'rotate', file, consumer, '--id', old, '--json'], {
      onPrinted: (text) => {
        const { id, key } = JSON.parse(text) as { id: string; key: string };
        shown = id;
        say(`shown ${id} ${key}`);
      },
      mayRefuse: true,
    });
    if (code !== 0) continue;
    say(`issued ${shown}`);
    active.push(shown);
    return;
  }
}

async function revoke(id: string): Promise<void> {
  say(`revoking ${id}`);
  if ((await run(['keys', 'revoke', '--id', id, file])) === 0) say(`revoked ${id}`);
}

interface Handled {
  readonly stdin?: string;
  readonly onPrinted?: (text: string) => void;
  readonly mayRefuse?: boolean;
}

async function run(args: string[], { stdin = '', onPrinted, mayRefuse = false }: Handled = {}): Promise<number> {
  let err = '';
  const io: Io = {
    out: () => undefined,
    deliver: (text) => Promise.resolve(onPrinted?.(text)),
    err: (text) => void (err += text),
    stdin: () => Promise.resolve(Buffer.from(stdin)),
    stdinChunks: () => Readable.from([Buffer.from(stdin)]),
    isTerminal: false,
    signal: new AbortController().signal,
  };
  const code = await main(args, io);
  if (code !== 0 && !mayRefuse) say(`refused ${err.replaceAll('\n', ' ')}`);
  return code;
}
