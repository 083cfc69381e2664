import { PortTaken } from '../envoy/error.ts';
import { isFree } from '../envoy/port.ts';
import { Refusal } from './command.ts';

export const DEFAULT_PORT = 8080;
export const DEFAULT_ADMIN_PORT = 9901;

interface Ports {
  readonly port: number;
  readonly adminPort: number;
}

/**
 * Starts something on the port and on the admin port, or on the default one if that is null and nobody has it: not even one who is
 * started at the same moment and takes it first.
 */
export async function onPorts<T>(
  port: number,
  adminPort: number | null,
  start: (ports: Ports) => Promise<T>,
): Promise<T> {
  const ports = await choosePorts(port, adminPort);
  try {
    return await start(ports);
  } catch (error) {
    if (adminPort !== null || !(error instanceof PortTaken) || error.port !== ports.adminPort) throw error;
    return start({ port, adminPort: 0 });
  }
}

/** Refuses ports that are taken, before anything is started; an admin port of 0 lets Envoy pick one. */
async function choosePorts(port: number, adminPort: number | null): Promise<Ports> {
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
