import { PassThrough } from 'node:stream';

import { expect } from 'chai';

import { Output, type OutputForm } from '../../../../client/cli/output.js';
import { Progress } from '../../../../client/cli/progress.js';
import { eventually } from '../../../support/eventually.js';

/** An output and a progress line on one screen. */
class Screen {
  readonly #stream = Object.assign(new PassThrough(), { isTTY: true, columns: 40 });
  readonly progress = new Progress(this.#stream, 'xterm');
  readonly output: Output;
  text = '';

  constructor(form: OutputForm = 'table') {
    this.#stream.on('data', (chunk: Buffer) => { this.text += chunk.toString(); });
    this.output = new Output(this.#stream, form, 40, new AbortController().signal, new AbortController().signal, this.progress, (text) => { this.text += `${text}\n`; });
  }
}

describe('the output', () => {
  it('shows rows that come slowly as they come, under one head', async () => {
    const screen = new Screen();
    let more: () => void = () => undefined;
    async function* rows(): AsyncGenerator<{ id: string; state: string }> {
      for (const id of ['order-1', 'order-2']) {
        yield { id, state: 'parked' };
        await new Promise<void>((resolve) => { more = resolve; });
      }
    }
    const listing = screen.output.list(rows(), ['id', 'state']);
    await eventually(() => { expect(screen.text).to.equal('ID       STATE\norder-1  parked\n'); }, { withinMs: 20_000 });
    more();
    await eventually(() => { expect(screen.text).to.match(/\norder-2 {2}parked\n$/); }, { withinMs: 20_000 });
    more();
    expect(await listing).to.equal(2);
  });

  it('begins anew with a head when an instant of another day has no room in its column', async () => {
    const screen = new Screen();
    const today = `${new Date().toISOString().slice(0, 10)}T`;
    let more: () => void = () => undefined;
    async function* rows(): AsyncGenerator<{ at: string; id: string }> {
      yield { at: `${today}10:00:00.000Z`, id: 'order-1' };
      await new Promise<void>((resolve) => { more = resolve; });
      yield { at: '2001-02-03T10:00:00.000Z', id: 'order-2' };
    }
    const listing = screen.output.list(rows(), ['at', 'id']);
    await eventually(() => { expect(screen.text).to.equal('AT         ID\n10:00:00Z  order-1\n'); }, { withinMs: 20_000 });
    more();
    await listing;
    expect(screen.text).to.match(/\nAT {24}ID\n2001-02-03T10:00:00\.000Z {2}order-2\n$/);
  });

  it('shows a head alone where nothing is listed', async () => {
    const screen = new Screen();
    await screen.output.list([], ['id', 'state']);
    await eventually(() => { expect(screen.text).to.equal('ID  STATE\n'); });
  });

  it('leaves whole columns out where a terminal has no room, and says which', async () => {
    const screen = new Screen();
    await screen.output.list([{ key: 'https://api.example.com', circuit: 'open', kind: 'host', paused: null, at: `${new Date().toISOString().slice(0, 10)}T13:00:58.120Z` }], ['key', 'circuit', 'at', 'paused', 'kind']);
    await eventually(() => { expect(screen.text).to.match(/^no room for at, kind: a wider terminal or --output ndjson shows them\nKEY +CIRCUIT +PAUSED\nhttps:\/\/api\.example\.com +open +-\n$/); });
    const short = new Screen();
    await short.output.list([{ id: 'order-1', at: `${new Date().toISOString().slice(0, 10)}T13:00:58.120Z`, then: '2020-01-01T00:00:00.000Z' }], ['id', 'at', 'then']);
    await eventually(() => { expect(short.text).to.match(/order-1 {2}13:00:58Z/).and.include('no room for then'); });
  });

  it('shows a group inside of a group in a line of its own', async () => {
    const screen = new Screen();
    await screen.output.object({ status: 'ok', counts: { waiting: 650, held: { paused: 0, circuit_open: 214 } }, rates: { created: { '1m': 14.8, '1h': null } }, by: null });
    await eventually(() => { expect(screen.text).to.equal(['status         ok', 'counts         waiting=650', 'counts.held    paused=0 circuit_open=214', 'rates.created  1m=14.8', 'by             -', ''].join('\n')); });
  });

  it('takes the line of the progress away before it writes', async () => {
    const screen = new Screen('ndjson');
    screen.progress.show('1000 tasks looked at');
    await screen.output.list([{ id: 'a' }], ['id']);
    await eventually(() => { expect(screen.text).to.equal('\r\x1b[2K1000 tasks looked at\r\x1b[2K{"id":"a"}\n'); });
  });

  it('shows an object whole, whatever the terminal is, with a line for each entry of its timeline', async () => {
    const screen = new Screen();
    await screen.output.object({ id: 'x'.repeat(60), policy: { max_retries: 2, max_delay: null }, timeline: [{ kind: 'attempt', http_status: 503 }, { kind: 'edited' }], samples: ['a', 'b'] });
    await eventually(() => { expect(screen.text).to.equal(['id        ' + 'x'.repeat(60), 'policy    max_retries=2', 'timeline  kind=attempt http_status=503', '          kind=edited', 'samples   a, b', ''].join('\n')); });
  });
});
