import { expect } from 'chai';

import { BodyBytes } from '../../../../server/http/body-bytes.js';

describe('BodyBytes', () => {
  it('gives what came, in order, whatever the pieces are', () => {
    const text = 'Nothing of what came is lost, doubled or moved. '.repeat(50);
    for (const size of [1, 2, 7, 100, text.length]) {
      const bytes = new BodyBytes();
      for (let from = 0; from < text.length; from += size) bytes.add(Buffer.from(text.slice(from, from + size)));
      expect(bytes.take().toString()).to.equal(text);
    }
  });

  it('keeps the order of small pieces and large ones', () => {
    const bytes = new BodyBytes();
    const all = Array.from({ length: 200 }, (_, nth) => Buffer.alloc([1, 9_000, 3, 4_095, 4_096, 0, 17_000][nth % 7] ?? 0, 32 + (nth % 90)));
    for (const piece of all) bytes.add(piece);
    expect(bytes.take().equals(Buffer.concat(all))).to.equal(true);
  });

  it('begins anew when it was taken', () => {
    const bytes = new BodyBytes();
    bytes.add(Buffer.from('first'));
    bytes.add(Buffer.from(' line'));
    const first = bytes.take();
    expect(bytes.take()).to.have.length(0);
    bytes.add(Buffer.from('second'));
    bytes.add(Buffer.from(' one'));
    expect(bytes.take().toString()).to.equal('second one');
    expect(first.toString()).to.equal('first line');
  });

  it('never writes into what it was given', () => {
    const chunk = Buffer.from('abcdef');
    const bytes = new BodyBytes();
    bytes.add(chunk.subarray(0, 2));
    bytes.add(Buffer.alloc(0));
    bytes.add(Buffer.from('XYZ'));
    expect(bytes.take().toString()).to.equal('abXYZ');
    expect(chunk.toString()).to.equal('abcdef');
  });
});
