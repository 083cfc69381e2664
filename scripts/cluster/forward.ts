import { spawn, type ChildProcess } from 'node:child_process';
import { get } from 'node:http';
import { eachLine } from '../program/run.ts';
import { Unseen } from './error.ts';
import { shown } from './object.ts';

const OPEN_MS = 15_000;
const ANSWER_MS = 20_000;
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * kubectl must not outlive us, whatever ends this process: it holds a port of a proxy's admin interface open. So a shell waits
 * for the end of its input, which is ours, and then ends kubectl, which has taken the place of the first shell.
 */
const GUARDED = 'exec 3<&0; { read -r _ <&3; kill "$$"; } >/dev/null 2>&1 & exec "$@" </dev/null 3<&-';

/** Resolves to a page of a pod's server that only the pod itself can reach. */
export type Forward = (place: {
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
  readonly path: string;
}) => Promise<string>;

/** Through "kubectl port-forward", to a free port of 127.0.0.1. */
export function kubectlForward(context: string | undefined, signal: AbortSignal): Forward {
  return ({ namespace, pod, port, path }) => forwardedPage({ namespace, pod, port, path }, context, signal);
}

async function forwardedPage(
  { namespace, pod, port, path }: Parameters<Forward>[0],
  context: string | undefined,
  signal: AbortSignal,
): Promise<string> {
  const args = [
    'port-forward',
    `--namespace=${namespace}`,
    '--address=127.0.0.1',
    ...(context === undefined ? [] : [`--context=${context}`]),
  ];
  const command = ['kubectl', ...args, `pod/${pod}`, `:${port}`];
  const child =
    process.platform === 'win32'
      ? spawn(command[0]!, command.slice(1), { stdio: ['pipe', 'pipe', 'pipe'], signal })
      : spawn('sh', ['-c', GUARDED, 'sh', ...command], { stdio: ['pipe', 'pipe', 'pipe'], signal });
  child.stdin.on('error', () => undefined);
  try {
    return await pageOf(await opened(child), path);
  } finally {
    child.stdin.end();
    child.kill();
  }
}

/** The port that kubectl listens on. */
function opened(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let last = '';
    const refuse = (): void => {
      const isForbidden = /\(Forbidden\)|is forbidden/.test(last);
      reject(
        isForbidden
          ? new Unseen('may not create pods/portforward', true)
          : new Unseen(`kubectl port-forward: ${shown(last.replace(/^error: /, '')) || 'no answer'}`),
      );
    };
    const late = setTimeout(refuse, OPEN_MS);
    eachLine(child.stdout!, (line) => {
      const found = /^Forwarding from 127\.0\.0\.1:(\d+) ->/.exec(line)?.[1];
      if (found !== undefined) resolve(Number(found));
    });
    eachLine(child.stderr!, (line) => (last = line));
    child.on('error', (error) => ((last = error.message), refuse()));
    child.on('close', () => {
      clearTimeout(late);
      refuse();
    });
  });
}

function pageOf(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => reject(new Unseen(`${path.split('?')[0]}: ${why}`));
    const request = get(
      { host: '127.0.0.1', port, path, agent: false, signal: AbortSignal.timeout(ANSWER_MS) },
      (response) => {
        let text = '';
        response
          .setEncoding('utf8')
          .on('data', (part: string) => {
            text += part;
            if (text.length > MOST_BYTES) request.destroy(new Error('answers with too much'));
          })
          .on('end', () => (response.statusCode === 200 ? resolve(text) : fail(`answers ${response.statusCode}`)))
          .on('error', (error) => fail(error.message));
      },
    );
    request.on('error', (error) => fail(error.message));
  });
}
