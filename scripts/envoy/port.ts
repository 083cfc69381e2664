import { createServer, type AddressInfo } from 'node:net';
import { Refusal } from '../cli/command.ts';

export const DEFAULT_PORT = 8080;
export const DEFAULT_ADMIN_PORT = 9901;

/** Refuses ports that are taken, before anything is started; an admin port of 0 lets Envoy pick one. */
export async function choosePorts(
  port: number,
  adminPort: number | null,
): Promise<{ port: number; adminPort: number }> {
  await demand(port, '--port');
  if (adminPort === null)
    return {
      port,
      adminPort: port !== DEFAULT_ADMIN_PORT && (await isFree(DEFAULT_ADMIN_PORT)) ? DEFAULT_ADMIN_PORT : 0,
    };
  if (adminPort === port) throw new Refusal(`--port and --admin-port are both ${port}`);
  await demand(adminPort, '--admin-port');
  return { port, adminPort };
}

async function demand(port: number, option: string): Promise<void> {
  if (!(await isFree(port)))
    throw new Refusal(`port ${port} is in use by another program; pick another with ${option}`);
}

/** A port of loopback on which nothing listens. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** True when nothing on loopback listens there. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
