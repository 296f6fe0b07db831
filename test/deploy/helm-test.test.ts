import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'chai';

import { Rendered } from '../support/helm.js';
import { InProcessService } from '../support/service-in-process.js';
import { Service } from '../support/service.js';

describe('helm test', function () {
  this.timeout(60_000);

  let service: Service;
  before(async () => { service = await Service.start(); });
  after(() => service.close());

  /** The pod's own command, with the address of a service that runs here. */
  async function runPod(env: Record<string, string>, policy?: string): Promise<{ readonly code: unknown; readonly output: string }> {
    const [{ command, args, env: own }] = new Rendered({ example: 'trial', set: policy === undefined ? [] : [`config.DESTINATION_POLICY=${policy}`] }).one('Pod').spec.containers;
    const set = Object.fromEntries(own.filter(({ name }) => name === 'DESTINATION_POLICY').map(({ name, value = '' }): [string, string] => [name, value]));
    const child = spawn(process.execPath, [...command.slice(1), ...args], { env: { POD_IP: '127.0.0.1', RECEIVER_PORT: '0', ...set, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
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

  describe('where the policy refuses the address of its pod', () => {
    let strict: InProcessService;
    before(async () => { strict = await InProcessService.ready({ destinationPolicy: { level: 'public', allow: [], deny: [] } }); });
    after(() => strict.close());

    it('says with DESTINATION_POLICY=public that nothing was delivered, and how it would be', async () => {
      const { code, output } = await runPod({ API_URL: strict.baseUrl }, 'public');
      expect(output).to.match(/nothing was delivered: DESTINATION_POLICY=public[^]*DESTINATION_ALLOW[^]*\/16:\d+/);
      expect(code).to.equal(0);
    });

    it('fails with a policy under which it should be delivered, and says what to allow', async () => {
      const { code, output } = await runPod({ API_URL: strict.baseUrl }, 'internal');
      expect(output).to.match(/refuses to send to the address of this pod, 127\.0\.0\.1\. [^]*DESTINATION_ALLOW/);
      expect(code).to.equal(1);
    });
  });
});
