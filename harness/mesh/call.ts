import { request } from 'node:http';

export interface Call {
  readonly path?: string;
  readonly host?: string;
  readonly headers?: Record<string, string>;
  readonly method?: string;
}

export interface Reply {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
  /** The request as the echo upstream saw it; null when something else answered. */
  readonly seen: { upstream: string; path: string; headers: Record<string, string> } | null;
}

/** Why the module has refused a request; undefined for an answer of anybody else. */
export function reasonOf({ body }: Reply): string | undefined {
  return body.startsWith('{') ? (JSON.parse(body) as { reason?: string }).reason : undefined;
}

/** Sends one request over a new connection to a port on loopback. */
export function call(
  port: number,
  { path = '/v1/pets', host = 'api.example.com', headers = {}, method = 'GET' }: Call = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', port, path, method, headers: { host, ...headers }, agent: false, timeout: 10_000 },
      (response) => {
        let body = '';
        response
          .setEncoding('utf8')
          .on('data', (text: string) => (body += text))
          .on('error', reject)
          .on('end', () => {
            const seen = response.headers['x-upstream'] === undefined ? null : (JSON.parse(body) as Reply['seen']);
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body, seen });
          });
      },
    );
    sent
      .on('error', reject)
      .on('timeout', () => sent.destroy(new Error('no answer')))
      .end();
  });
}
