import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

import { expect } from 'chai';

import { RetryClient } from '../../../client/retry-client.js';
import { eventually } from '../../support/eventually.js';
import { freePort } from '../../../scripts/servers/free-port.mjs';
import { killWithUs } from '../../support/kill-with-us.js';
import { InProcessService } from '../../support/service-in-process.js';
import { readText } from '../../unit/docs/repository-file.js';

const [clientExample = '', receiverExample = ''] = [...readText('docs/CLIENT.md').matchAll(/```ts\n([^]*?)```/g)].map(([, code]) => code ?? '');

/** A program that is pasted from the page. */
class PastedProgram {
  out = '';
  err = '';
  /** `close`, not `exit`: only then is all output read. */
  readonly #closed: Promise<unknown>;

  private constructor(private readonly child: ChildProcess) {
    killWithUs(child);
    this.#closed = once(child, 'close');
    child.stdout?.on('data', (chunk: Buffer) => { this.out += chunk.toString(); });
    child.stderr?.on('data', (chunk: Buffer) => { this.err += chunk.toString(); });
  }

  /** It runs in our folder, so that the package finds itself under its name, as in a project that has installed it. */
  static start(code: string): PastedProgram {
    return new PastedProgram(spawn(process.execPath, ['--input-type=module', '--eval', code], { stdio: ['ignore', 'pipe', 'pipe'] }));
  }

  async ended(): Promise<number | null> {
    await this.#closed;
    return this.child.exitCode;
  }

  async stop(): Promise<void> {
    this.child.kill();
    await this.#closed;
  }
}

describe('docs/CLIENT.md, pasted as it stands', () => {
  let service: InProcessService;
  const programs: PastedProgram[] = [];

  before(async () => {
    service = await InProcessService.ready();
    await service.startWorker();
  });
  after(async () => {
    for (const program of programs) await program.stop();
    await service.close();
  });

  const start = (code: string): PastedProgram => {
    const program = PastedProgram.start(code);
    programs.push(program);
    return program;
  };

  it('hands over tasks, and its receiver handles a message once, which comes twice', async () => {
    const port = await freePort();
    const withOurAddresses = (code: string): string => code.replaceAll('9099', String(port)).replaceAll('http://127.0.0.1:8080', service.baseUrl);
    const receiver = start(withOurAddresses(receiverExample));
    await eventually(async () => { expect((await fetch(`http://127.0.0.1:${port}/`)).status).to.equal(400); }, { withinMs: 20_000 });

    const program = start(withOurAddresses(clientExample));
    expect([await program.ended(), program.err]).to.deep.equal([0, '']);
    const client = new RetryClient({ url: service.baseUrl });
    const states: string[] = [];
    for await (const { id, state } of client.list({ client_id: 'shop' })) states.push(`${id} ${state}`);
    expect(states).to.have.members(['order-1001 delivered', 'order-1002 cancelled', 'order-1003 scheduled']);
    expect((await client.destination('https://api.example.com')).paused).to.include({ reason: 'it is down' });

    const again = await fetch(`http://127.0.0.1:${port}/orders`, { method: 'POST', headers: { 'x-retry-task-id': 'order-1001', 'x-retry-run': '1' }, body: 'again' });
    expect([again.status, receiver.out]).to.deep.equal([200, 'order-1001 1 0 {"order":1001}\n']);
  });
});
