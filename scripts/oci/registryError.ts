import { STATUS_CODES } from 'node:http';
import { Refusal } from '../cli/command.ts';
import type { Answer } from './answer.ts';
import { retryAfterMs, Transient } from './retry.ts';

const MAX_BYTES = 16 * 1024;
const MAX_SHOWN = 300;

/** The registry's no, with its own code and words. */
export class RegistryRefusal extends Refusal {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

const TRANSIENT = new Set([408, 429, 500, 502, 503, 504]);

/** True for an answer that may be another one in a while. */
export function mayPass({ status }: Answer): boolean {
  return TRANSIENT.has(status);
}

/** An answer that is not the hoped-for one, as an error: transient for those that may pass. */
export async function failureOf(
  answer: Answer,
  what: string,
  redact: (text: string) => string,
  expected: readonly number[] = [],
): Promise<Error> {
  const { status } = answer;
  // an answer that breaks off is still a no
  const said = await answer.readAll(MAX_BYTES).then(
    (bytes) => printable(redact(words(bytes.toString('utf8')))),
    () => '',
  );
  const message = `${what}: ${said === '' ? '' : `${said} `}(${status})`;
  if (mayPass(answer)) return new Transient(message, retryAfterMs(answer.header('retry-after')));
  if (status >= 400) return new RegistryRefusal(message, status);
  const wanted = expected.filter((one) => one < 300).join(' or ');
  return new RegistryRefusal(
    `${what}: answered ${status} ${STATUS_CODES[status] ?? ''}`.trimEnd() +
      (wanted === '' ? '' : `, where the protocol has ${wanted}`),
    status,
  );
}

interface Said {
  readonly errors?: unknown;
  readonly error?: unknown;
  readonly details?: unknown;
  readonly error_description?: unknown;
}

/** `CODE: message` of each error in a registry's or token service's JSON; a page of HTML says nothing. */
function words(text: string): string {
  let said: Said | null;
  try {
    said = JSON.parse(text) as Said | null;
  } catch {
    return /^\s*</.test(text) ? '' : text;
  }
  if (typeof said !== 'object' || said === null) return '';
  if (Array.isArray(said.errors))
    return said.errors
      .map((one: unknown) => join(...codeAndMessage(one)))
      .filter((one) => one !== '')
      .join('; ');
  return join(said.error, said.error_description ?? said.details);
}

function codeAndMessage(error: unknown): [unknown, unknown] {
  if (typeof error !== 'object' || error === null) return [undefined, undefined];
  const { code, message } = error as { code?: unknown; message?: unknown };
  return [code, message];
}

function join(...parts: unknown[]): string {
  return parts.filter((part): part is string => typeof part === 'string' && part !== '').join(': ');
}

/** One line without control characters: it goes to a terminal. */
function printable(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  return line.length > MAX_SHOWN ? `${line.slice(0, MAX_SHOWN)}…` : line;
}
