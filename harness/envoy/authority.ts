import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { component } from '../registry/component.ts';
import { succeed } from '../registry/program.ts';

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export interface Leaf {
  readonly key: string;
  readonly cert: string;
}

/** A certificate authority of a test's own, made by openssl: `lacking('openssl')` must have found that. */
export class Authority {
  private constructor(
    private readonly folder: string,
    /** Path of its certificate. */
    readonly path: string,
  ) {}

  static async make(folder: string, name = 'ca'): Promise<Authority> {
    const path = join(folder, `${name}.pem`);
    const key = join(folder, `${name}-key.pem`);
    await succeed(component('openssl'), [
      ...['req', '-x509', ...EC, '-days', '2', '-subj', `/CN=${name} of a test`],
      ...['-addext', 'basicConstraints=critical,CA:TRUE', '-keyout', key, '-out', path],
    ]);
    return new Authority(folder, path);
  }

  /** A certificate for names such as `DNS:localhost` and `IP:127.0.0.1`; `days` below 0: one that has expired. */
  async certify(name: string, subjects: string, days = 2): Promise<Leaf> {
    const { folder, path } = this;
    const file = (kind: string): string => join(folder, `${name}.${kind}`);
    await succeed(component('openssl'), [
      ...['req', '-new', ...EC, '-subj', `/CN=${name}`, '-keyout', file('key'), '-out', file('csr')],
    ]);
    writeFileSync(file('ext'), `subjectAltName=${subjects}\n`);
    await succeed(component('openssl'), [
      ...['x509', '-req', '-in', file('csr'), '-CA', path, '-CAkey', path.replace(/\.pem$/, '-key.pem')],
      ...['-CAcreateserial', '-days', String(days), '-extfile', file('ext'), '-out', file('crt')],
    ]);
    return { key: readFileSync(file('key'), 'utf8'), cert: readFileSync(file('crt'), 'utf8') };
  }
}
