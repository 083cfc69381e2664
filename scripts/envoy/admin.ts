import { get } from 'node:http';

/** Envoy's admin interface on loopback, as far as it is needed. */
export class Admin {
  constructor(readonly port: number) {}

  /** Body of a page; throws when Envoy does not answer or answers other than 200 and 503 (`/ready` says 503 while starting). */
  page(path: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const request = get({ host: '127.0.0.1', port: this.port, path, timeout: 5000 }, (response) => {
        let body = '';
        response
          .setEncoding('utf8')
          .on('data', (text: string) => (body += text))
          .on('end', () => resolve(body))
          .on('error', reject);
        if (response.statusCode !== 200 && response.statusCode !== 503)
          reject(new Error(`admin ${path}: ${response.statusCode}`));
      });
      request.on('error', reject).on('timeout', () => request.destroy(new Error(`admin ${path}: no answer`)));
    });
  }

  async isReady(): Promise<boolean> {
    return (await this.page('/ready').catch(() => '')).startsWith('LIVE');
  }

  /** Statistics by full name; numbers as text, text readouts without their quotes. */
  async stats(filter: string): Promise<Map<string, string>> {
    const text = await this.page(`/stats?filter=${encodeURIComponent(filter)}`);
    const lines = text
      .split('\n')
      .map((line) => /^(\S.*?): (.*)$/.exec(line))
      .filter((found) => found !== null);
    return new Map(lines.map(([, name = '', value = '']) => [name, value.replace(/^"|"$/g, '')]));
  }

  /** The port that the HTTP listener got; null before there is one. */
  async listenerPort(): Promise<number | null> {
    const found = /::127\.0\.0\.1:(\d+)/.exec(await this.page('/listeners'));
    return found ? Number(found[1]) : null;
  }
}
