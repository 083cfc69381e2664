import { grouped } from '../../diff/difference.ts';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { linesOf } from '../../explain/log/lines.ts';
import { Replay } from '../../explain/log/replay.ts';
import { inputName } from '../../file/openPolicy.ts';
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
/** Between two looks at the user's wish to stop, and two reports. */
const LINES_A_STEP = 4096;

/** Replays a log. Ctrl-C ends it early, with the summary of what was read until then. */
export async function explainLog(
  policy: Policy,
  module: { readonly path: string },
  options: LogOptions,
  io: Io,
): Promise<number> {
  const { from, caller, host } = options;
  const name = inputName(from);
  const { chunks, bytes } = await opened(from, io);
  const replay = new Replay(policy, loadModule(module.path), { name, caller, host });
  const progress = new StepLine(io);
  const { signal } = io;
  let read = 0;
  const counted = counting(chunks, (more) => (read += more));
  let stoppedAt: number | null = null;
  let said = 0;
  try {
    for await (const lines of linesOf(counted, name)) {
      for (const line of lines) replay.add(line);
      const { number } = lines.at(-1)!;
      if (number - said >= LINES_A_STEP) {
        said = number;
        progress.say(
          `${name}: ${grouped(number)} lines${bytes === null ? '' : `, ${Math.floor((100 * read) / bytes)} %`}`,
        );
        // the user's Ctrl-C is an event, and a loop over data that is there lets none in
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (signal.aborted) {
        stoppedAt = number;
        break;
      }
    }
  } catch (error) {
    progress.end();
    throw readable(error, name);
  }
  progress.end();
  const replayed = replay.end();
  const result = { log: name, stoppedAt, ...replayed };
  io.out(options.json ? visibleJson(result) : printReplay(result));
  return options.setsExitCode && replayed.newlyRefused > 0 ? 1 : 0;
}

interface Opened {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Null: nobody knows. */
  readonly bytes: number | null;
}

async function opened(from: string, io: Io): Promise<Opened> {
  if (from === '-') return { chunks: io.stdinChunks(), bytes: null };
  const found = await stat(from).catch(() => null);
  return {
    chunks: createReadStream(from, { highWaterMark: CHUNK_BYTES }),
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
