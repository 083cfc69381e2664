import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { component } from './component.ts';
import { succeed } from './program.ts';

export interface Certificate {
  readonly key: string;
  readonly certificate: string;
  readonly certificatePath: string;
}

/** A key and a self-signed certificate for loopback, which nobody trusts. Made by openssl, because Node cannot. */
export async function selfSigned(folder: string): Promise<Certificate> {
  const [keyPath, certificatePath] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  await succeed(component('openssl'), [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=tollgate test',
    '-addext',
    'subjectAltName=IP:127.0.0.1',
    '-keyout',
    keyPath,
    '-out',
    certificatePath,
  ]);
  return { key: readFileSync(keyPath, 'utf8'), certificate: readFileSync(certificatePath, 'utf8'), certificatePath };
}
