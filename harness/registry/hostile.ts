import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { LookupAddress } from 'node:dns';
import { OciError } from '../../scripts/oci/error.ts';
import type { Bundle } from '../../scripts/oci/bundle.ts';
import { type Credential, givenCredential } from '../../scripts/oci/credentials.ts';
import { bundleModule, pushModule, type PushOptions } from '../../scripts/oci/index.ts';
import { QUICK } from './place.ts';
import { withServer } from './server.ts';

export const PASSWORD = 'hunter2:long&strange %';
export const ME = givenCredential('me', PASSWORD);
export const BASIC = `Basic ${Buffer.from(`me:${PASSWORD}`).toString('base64')}`;
export const IDENTITY: Credential = { kind: 'identityToken', token: 'refresh-token-of-mine', origin: 'a test' };

export interface Heard {
  readonly method: string;
  readonly url: string;
  readonly authorization: string | undefined;
  readonly body: string;
}

/** Answers a request, whose body has been read; `host` is where the server itself listens. */
export type Behaviour = (heard: Heard, response: ServerResponse, request: IncomingMessage) => void;

/** A server that behaves as told while `use` runs, and records all requests. */
export async function behaving<T>(behaviour: Behaviour, use: (host: string, heard: Heard[]) => Promise<T>): Promise<T> {
  const heard: Heard[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => void parts.push(part));
    request.on('error', () => undefined);
    request.on('end', () => {
      const one = {
        method: request.method ?? '',
        url: request.url ?? '',
        authorization: request.headers.authorization,
        body: Buffer.concat(parts).toString('latin1'),
      };
      heard.push(one);
      behaviour(one, response, request);
    });
  });
  return withServer(server, (host) => use(host, heard));
}

/** A test's host names: each resolves to the given addresses; others do not exist. */
export function names(table: Readonly<Record<string, string>>): (name: string) => Promise<readonly LookupAddress[]> {
  return (name) => {
    const address = table[name];
    if (address === undefined) return Promise.reject(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }));
    return Promise.resolve([{ address, family: address.includes(':') ? 6 : 4 }]);
  };
}

export interface Outcome {
  /** What went wrong; empty when nothing did. */
  readonly error: string;
  readonly notes: readonly string[];
  readonly seconds: number;
}

/** Pushes and reports how it ended. Any error that is not a refusal is a bug of the tool, and is thrown. */
export async function outcome(
  target: string,
  bundle: Bundle,
  credential: Credential | null,
  more: Partial<PushOptions> = {},
): Promise<Outcome> {
  const notes: string[] = [];
  const started = Date.now();
  const ended = (error: string): Outcome => ({ error, notes, seconds: (Date.now() - started) / 1000 });
  try {
    await pushModule(target, bundle, {
      retry: QUICK,
      signal: new AbortController().signal,
      note: (text) => void notes.push(text),
      credentials: () => Promise.resolve(credential),
      ...more,
    });
    return ended('');
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    return ended(error.message);
  }
}

let fill = 100;
/** A bundle that nobody has pushed. */
export function unseen(module: (fill: number) => string): Promise<Bundle> {
  return bundleModule({ layout: 'artifact', module: module(fill++) });
}
