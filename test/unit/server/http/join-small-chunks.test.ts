import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';

import { expect } from 'chai';

import { joinSmallChunks } from '../../../../server/http/join-small-chunks.js';

describe('joinSmallChunks', () => {
  /** @returns the pieces in which a reader got the body */
  async function piecesOf(chunks: readonly string[], isJoined: boolean): Promise<string[]> {
    const pieces: string[] = [];
    const server = createServer((request, response) => {
      if (isJoined) joinSmallChunks(request);
      request.on('data', (piece: Buffer) => pieces.push(piece.toString('latin1')));
      request.on('end', () => response.end());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1'); // a listening TCP server has no other kind of address
    socket.resume();
    socket.write(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n${chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('')}0\r\n\r\n`);
    await once(socket, 'close');
    server.close();
    return pieces;
  }

  const bodies: readonly (readonly [name: string, chunks: readonly string[]])[] = [
    ['50,000 chunks of one byte', Array.from({ length: 50_000 }, (_, nth) => String(nth % 10))],
    ['small and large ones in turn', Array.from({ length: 60 }, (_, nth) => String(nth % 10).repeat(nth % 3 === 0 ? 5_000 : nth))],
    ['one', ['x']],
    ['none', []],
  ];
  for (const [name, chunks] of bodies) {
    it(`changes no byte: ${name}`, async () => {
      const wanted = chunks.filter((chunk) => chunk !== '');
      expect((await piecesOf(wanted, true)).join('')).to.equal(wanted.join(''));
    });
  }

  it('makes few pieces of many', async () => {
    const chunks = Array.from({ length: 50_000 }, () => 'x');
    expect((await piecesOf(chunks, false)).length).to.equal(50_000);
    expect((await piecesOf(chunks, true)).length).to.be.below(500);
  });
});
