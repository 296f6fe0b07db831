import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'chai';

import { Rendered } from '../support/helm.js';
import { Service } from '../support/service.js';

describe('helm test', function () {
  this.timeout(60_000);

  let service: Service;
  before(async () => { service = await Service.start(); });
  after(() => service.close());

  /** The pod's own command, with the address of a service that runs here. */
  async function runPod(env: Record<string, string>): Promise<{ readonly code: unknown; readonly output: string }> {
    const [{ command, args }] = new Rendered({ example: 'trial' }).one('Pod').spec.containers;
    const child = spawn(process.execPath, [...command.slice(1), ...args], { env: { POD_IP: '127.0.0.1', RECEIVER_PORT: '0', ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    const parts: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => parts.push(part));
    const [code] = await once(child, 'close') as [unknown];
    return { code, output: Buffer.concat(parts).toString() };
  }

  it('delivers one task from its pod, back to its pod', async () => {
    const { code, output } = await runPod({ API_URL: service.baseUrl });
    expect(output).to.match(/was delivered, byte for byte/);
    expect(code).to.equal(0);
  });

  it('fails, and says why, when the API does not take the task', async () => {
    const { code, output } = await runPod({ API_URL: `${service.baseUrl}/nowhere` });
    expect(output).to.match(/404/);
    expect(code).to.equal(1);
  });
});
