import { Refusal } from '../command.ts';
import { retryAfterMs, Transient } from './retry.ts';
import { readSome } from './wire.ts';

const MAX_BYTES = 16 * 1024;
const MAX_SHOWN = 300;

/** The registry's no, with its own code and words. */
export class RegistryRefusal extends Refusal {
  constructor(message: string, readonly status: number) {
    super(message);
  }
}

const TRANSIENT = new Set([408, 429, 500, 502, 503, 504]);

/** True for an answer that may be another one in a while. */
export function mayPass({ status }: Response): boolean {
  return TRANSIENT.has(status);
}

/** An answer that is not the hoped-for one, as an error: transient for those that may pass. */
export async function failureOf(response: Response, what: string, redact: (text: string) => string): Promise<Error> {
  const said = redact(words((await readSome(response, MAX_BYTES)).toString('utf8')));
  const message = `${what}: ${said === '' ? '' : `${said} `}(${response.status})`;
  if (mayPass(response)) return new Transient(message, retryAfterMs(response.headers.get('retry-after')));
  return new RegistryRefusal(message, response.status);
}

interface Said {
  readonly errors?: readonly { readonly code?: unknown; readonly message?: unknown }[];
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
    return /^\s*</.test(text) ? '' : printable(text);
  }
  if (typeof said !== 'object' || said === null) return '';
  if (Array.isArray(said.errors)) return printable(said.errors.map(({ code, message }) => join(code, message)).join('; '));
  return printable(join(said.error, said.error_description ?? said.details));
}

function join(...parts: unknown[]): string {
  return parts.filter((part): part is string => typeof part === 'string' && part !== '').join(': ');
}

/** One line without control characters: it goes to a terminal. */
function printable(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  return line.length > MAX_SHOWN ? `${line.slice(0, MAX_SHOWN)}…` : line;
}
