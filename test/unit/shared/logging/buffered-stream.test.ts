import { expect } from 'chai';

import { BufferedStream } from '../../../../shared/logging/buffered-stream.js';
import { eventually } from '../../../support/eventually.js';

class Writes {
  readonly all: string[] = [];
  write(text: string): void {
    this.all.push(text);
  }
}

describe('BufferedStream', () => {
  it('hands many lines on in one write, soon', async () => {
    const writes = new Writes();
    const stream = new BufferedStream(writes);
    stream.write('a\n');
    stream.write(Buffer.from('b\n'));
    expect(writes.all).to.deep.equal([]);
    await eventually(() => { expect(writes.all).to.deep.equal(['a\nb\n']); }, { withinMs: 1_000 });
  });

  it('does not wait when much has gathered', () => {
    const writes = new Writes();
    const stream = new BufferedStream(writes);
    stream.write('x'.repeat(40_000));
    expect(writes.all).to.have.lengthOf(1);
  });

  it('writes at once when flushed, and nothing twice', () => {
    const writes = new Writes();
    const stream = new BufferedStream(writes);
    stream.write('a');
    stream.flush();
    stream.flush();
    expect(writes.all).to.deep.equal(['a']);
  });
});
