// One of several processes that issue and revoke keys in the same policy, until it is killed: rival.ts FILE NAME SEED STEPS.
// Prints a line for each thing that is done: `shown ID KEY`, `issued ID`, `revoked ID`; or `refused …` with a command's message.
import { writeSync } from 'node:fs';
import type { Io } from '../../scripts/cli/command.ts';
import { main } from '../../scripts/cli/tollgate.ts';
import { Random } from '../random.ts';

const [file = '', name = '', seed = '0', steps = '0'] = process.argv.slice(2);
const random = new Random(Number(seed));
const active: string[] = [];
const say = (line: string): void => void writeSync(1, `${line}\n`);

say('begun');
for (let step = 0; step < Number(steps); step++) {
  if (active.length > 0 && random.chance(0.5)) await revoke(active.splice(random.below(active.length), 1)[0]!);
  else await issue(`${name}-${step}`);
}

async function issue(id: string): Promise<void> {
  const consumer = random.chance(0.5) ? 'acme' : `new-${name}`;
  const code = await run(
    ['keys', 'issue', '--consumer', consumer, ...(consumer === 'acme' ? [] : ['--plan', 'free']), '--id', id, file],
    (key) => say(`shown ${id} ${key.trim()}`),
  );
  if (code !== 0) return;
  say(`issued ${id}`);
  active.push(id);
}

async function revoke(id: string): Promise<void> {
  say(`revoking ${id}`);
  if ((await run(['keys', 'revoke', '--id', id, file])) === 0) say(`revoked ${id}`);
}

async function run(args: string[], onKey: (key: string) => void = () => undefined): Promise<number> {
  let err = '';
  const io: Io = {
    out: () => undefined,
    deliver: (text) => Promise.resolve(onKey(text)),
    err: (text) => void (err += text),
    stdin: () => Promise.resolve(Buffer.alloc(0)),
    isTerminal: false,
    signal: new AbortController().signal,
  };
  const code = await main(args, io);
  if (code !== 0) say(`refused ${err.replaceAll('\n', ' ')}`);
  return code;
}
