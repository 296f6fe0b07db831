import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

import { expect } from 'chai';

import { Connection, type PortState } from '../../../../server/http/connection.js';
import { WorkTurns } from '../../../../server/http/work-turns.js';
import { eventually } from '../../../support/eventually.js';

describe('the fixed limits of a connection', () => {
  const closers: (() => void)[] = [];
  afterEach(() => { for (const close of closers.splice(0)) close(); });

  /** One request that is never answered, its connection, and its client. */
  async function asked(port: Partial<PortState> = {}): Promise<{ readonly connection: Connection; readonly state: PortState; readonly client: Socket; readonly request: IncomingMessage; readonly response: ServerResponse }> {
    const server = Object.assign(createServer(), { httpAllowHalfOpen: true }); // as the API's own
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true }); // a listening TCP server has no other kind of address
    client.on('error', () => undefined);
    closers.push(() => { client.destroy(); server.closeAllConnections(); server.close(); });
    client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const [request, response] = await new Promise<[IncomingMessage, ServerResponse]>((resolve) => server.once('request', (...both) => { resolve(both); }));
    const state: PortState = { answer: () => undefined, turns: new WorkTurns(), bodyBudget: { bytesOf: () => 0 }, unreadMs: 1_000_000, waiting: 0, isClosing: false, isEnding: false, ...port };
    const connection = new Connection(request.socket, state);
    connection.take(request, response);
    return { connection, state, client, request, response };
  }

  it('keep 10,000 requests that wait in all, and cut then a connection with more than 16 of them', async () => {
    const { connection, state, request, response } = await asked({ waiting: 9_984 });
    for (let nth = 1; nth <= 16; nth += 1) connection.take(request, response);
    expect([state.waiting, connection.socket.destroyed]).to.deep.equal([10_000, false]);
    connection.take(request, response);
    expect(connection.socket.destroyed).to.equal(true);
    const other = await asked({ waiting: 10_000 });
    for (let nth = 1; nth <= 16; nth += 1) other.connection.take(other.request, other.response);
    expect(other.connection.socket.destroyed, 'one with few of them is kept').to.equal(false);
  });

  it('give 10 min for the whole of an answer', async () => {
    const { connection, client, response } = await asked();
    client.pause();
    response.write('x'.repeat(20_000_000));
    await eventually(() => expect(connection.socket.writableLength).to.be.above(0));
    connection.look(1_000);
    connection.look(601_000);
    expect(connection.socket.destroyed).to.equal(false);
    connection.look(601_001);
    expect(connection.socket.destroyed).to.equal(true);
  });

  it('give 30 s for the answer to a client that has ended its side', async () => {
    const { connection, client } = await asked();
    connection.look(1_000);
    client.end();
    await eventually(() => expect(connection.isHalfClosed).to.equal(true));
    connection.look(2_000);
    connection.look(32_000);
    expect(connection.socket.destroyed).to.equal(false);
    connection.look(32_001);
    expect(connection.socket.destroyed).to.equal(true);
  });
});
