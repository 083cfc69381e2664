import { Refusal } from '../cli/command.ts';
import { Transient } from './retry.ts';

/** No answer, or none that is whole. */
export class Unreachable extends Transient {}

/** The other side answers, but not in TLS. */
export class PlainHttp extends Refusal {}

const WRONG_TLS = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG', 'EPROTO']);
const BROKEN = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ERR_STREAM_PREMATURE_CLOSE', 'HPE_INVALID_EOF_STATE']);

/** What went wrong with a connection, in words; only what may pass is `Transient`. No text of the other side is repeated. */
export function failure(error: unknown, url: URL): Error {
  if (error instanceof Refusal || error instanceof Transient) return error;
  const { code: given } = error as { code?: unknown };
  const code = typeof given === 'string' ? given : 'unknown error';
  if (WRONG_TLS.has(code))
    return new PlainHttp(`${url.host}: does not speak TLS; if plain http is meant, say --plain-http`);
  if (/CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)/.test(code))
    return new Refusal(
      `${url.host}: its certificate is not trusted (${code}); name your authority's in $NODE_EXTRA_CA_CERTS`,
    );
  if (code === 'ABORT_ERR') return new Unreachable(`${url.host}: does not answer`);
  if (code === 'ENOTFOUND') return new Refusal(`${url.host}: no such host`);
  if (code === 'ECONNREFUSED') return new Unreachable(`${url.host}: refuses the connection (${code})`);
  if (BROKEN.has(code)) return new Unreachable(`${url.host}: broke the connection (${code})`);
  if (code === 'HPE_HEADER_OVERFLOW') return new Refusal(`${url.host}: sends more headers than any registry does`);
  if (code.startsWith('HPE_')) return new Refusal(`${url.host}: does not speak HTTP (${code})`);
  // what was to be sent is no HTTP: an address or a token with characters that a header cannot hold
  if (error instanceof TypeError) return new Refusal(`${url.host}: cannot be asked that (${code})`);
  return new Unreachable(`${url.host}: cannot be reached (${code})`);
}
