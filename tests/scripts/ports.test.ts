import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { freePort } from '../../harness/mesh/port.ts';
import { onPorts } from '../../scripts/cli/port.ts';
import { PortTaken } from '../../scripts/envoy/error.ts';

describe('ports to serve on', () => {
  const other = createServer();
  let taken: number;
  before(() => new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve)));
  before(() => void (taken = (other.address() as AddressInfo).port));
  after(() => new Promise((resolve) => other.close(resolve)));

  /** As Envoy is, when somebody takes a port between the look whether it is free and its start. */
  const overtaken = (port: number) => {
    const tried: number[] = [];
    const start = (ports: { adminPort: number }): Promise<number> => {
      tried.push(ports.adminPort);
      if (ports.adminPort !== 0 && tried.length === 1) throw new PortTaken(port === 0 ? ports.adminPort : port);
      return Promise.resolve(ports.adminPort);
    };
    return { tried, start };
  };

  it('are another admin port when somebody who started at the same time took the default one', async () => {
    const { tried, start } = overtaken(0);
    assert.equal(await onPorts(await freePort(), null, start), 0);
    assert.equal(tried.at(-1), 0);
  });

  it('are refused when a port that the user named was taken meanwhile', async () => {
    const [port, admin] = [await freePort(), await freePort()];
    const { tried, start } = overtaken(0);
    await assert.rejects(onPorts(port, admin, start), { message: `port ${admin} is in use by another program` });
    assert.deepEqual(tried, [admin]);
    await assert.rejects(onPorts(port, admin, overtaken(port).start), PortTaken);
  });

  it('are refused before anything starts when they are taken, or the same', async () => {
    const never = (): Promise<never> => assert.fail('started');
    await assert.rejects(onPorts(taken, null, never), /^Refusal: port \d+ is in use .*; pick another with --port$/);
    await assert.rejects(onPorts(await freePort(), taken, never), /pick another with --admin-port$/);
    await assert.rejects(onPorts(taken, taken, never), /--port/);
    const port = await freePort();
    await assert.rejects(onPorts(port, port, never), { message: `--port and --admin-port are both ${port}` });
  });
});
