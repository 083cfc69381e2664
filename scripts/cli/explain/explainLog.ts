import { grouped } from '../../diff/difference.ts';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { linesOf } from '../../explain/log/lines.ts';
import { Replay } from '../../explain/log/replay.ts';
import { inputName } from '../../file/openPolicy.ts';
import { pipeChunks } from '../../file/read.ts';
import { loadModule } from '../../host/abi.ts';
import type { Policy } from '../../policy/index.ts';
import { Refusal, type Io } from '../command.ts';
import { StepLine } from '../keys/stepLine.ts';
import { printReplay } from './printReplay.ts';
import { visibleJson } from './visible.ts';

interface LogOptions {
  readonly from: string;
  readonly caller: string | null;
  readonly host: string | null;
  readonly json: boolean;
  readonly setsExitCode: boolean;
}

const CHUNK_BYTES = 256 * 1024;

/** Replays a log. Ctrl-C ends it early, with the summary of what was read until then. */
export async function explainLog(
  policy: Policy,
  module: { readonly path: string },
  options: LogOptions,
  io: Io,
): Promise<number> {
  const { from, caller, host } = options;
  const name = inputName(from);
  const replay = new Replay(policy, loadModule(module.path), { name, caller, host });
  const stoppedAt = await readAll(await opened(from, io), name, replay, io);
  const replayed = replay.end();
  const result = { log: name, stoppedAt, ...replayed };
  io.out(options.json ? visibleJson(result) : printReplay(result));
  return options.setsExitCode && replayed.newlyRefused > 0 ? 1 : 0;
}

/** Resolves to the last line read where the user has stopped it, or to null at the log's end. */
async function readAll({ source, bytes }: Opened, name: string, replay: Replay, io: Io): Promise<number | null> {
  const progress = new StepLine(io);
  const { signal } = io;
  // a log that is still being written gives nothing for a while, and would not let the wish to stop in
  const stop = (): void => void source.destroy?.();
  signal.addEventListener('abort', stop);
  let read = 0;
  let last = 0;
  try {
    for await (const lines of linesOf(
      counting(source, (more) => (read += more)),
      name,
    )) {
      for (const line of lines) replay.add(line);
      last = lines.at(-1)?.number ?? last;
      progress.say(`${name}: ${grouped(last)} lines${bytes === null ? '' : `, ${Math.floor((100 * read) / bytes)} %`}`);
      if (signal.aborted) break;
      // signals are events, and a loop over data that is there lets none in
      await new Promise((resolve) => setImmediate(resolve));
    }
  } catch (error) {
    if (!signal.aborted) throw readable(error, name);
  } finally {
    signal.removeEventListener('abort', stop);
    progress.end();
  }
  return signal.aborted ? last : null;
}

interface Opened {
  readonly source: AsyncIterable<Uint8Array> & { destroy?(): unknown };
  /** Null: nobody knows. */
  readonly bytes: number | null;
}

async function opened(from: string, io: Io): Promise<Opened> {
  if (from === '-') {
    if (process.stdin.isTTY) io.err('reading the log from the terminal. Ctrl-D ends it\n');
    return { source: io.stdinChunks(), bytes: null };
  }
  const found = await stat(from).catch(() => null);
  if (found?.isFIFO()) return { source: pipeChunks(from, io.signal), bytes: null };
  return {
    source: createReadStream(from, { highWaterMark: CHUNK_BYTES }),
    bytes: found?.isFile() && found.size > 0 ? found.size : null,
  };
}

async function* counting(
  chunks: AsyncIterable<Uint8Array>,
  onRead: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    onRead(chunk.length);
    yield chunk;
  }
}

const RULES: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EISDIR: 'must be a file; found a folder',
  EACCES: 'may not be read: permission denied',
};

function readable(error: unknown, name: string): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return error;
  return new Refusal(`${name}: ${RULES[code] ?? `cannot be read: ${code}`}`);
}
