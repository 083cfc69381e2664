import { isFree } from '../envoy/port.ts';
import { Refusal } from './command.ts';

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
