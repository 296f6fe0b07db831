import { expect } from 'chai';
import { Cluster, type Redis } from 'ioredis';

import { askLivingNodes, chooseNode } from '../../../../shared/redis/living-nodes.js';

describe('chooseNode', () => {
  const node = (name: string, status: Redis['status'], owed: number) => ({ name, status, commandQueue: { length: owed } });
  const table: readonly (readonly [what: string, nodes: readonly ReturnType<typeof node>[], chosen: readonly (string | undefined)[]])[] = [
    ['those that are ready and owe nothing', [node('frozen', 'connect', 1), node('silent', 'ready', 3), node('a', 'ready', 0), node('b', 'ready', 0)], ['a', 'b']],
    ['those that are ready, where all owe an answer', [node('frozen', 'connect', 1), node('a', 'ready', 1), node('b', 'ready', 2)], ['a', 'b']],
    ['any, where none is ready yet', [node('a', 'wait', 0), node('b', 'connecting', 0)], ['a', 'b']],
    ['none where there is none', [], [undefined]],
  ];
  for (const [what, nodes, chosen] of table) {
    it(`takes ${what}`, () => {
      const found = [0, 0.3, 0.6, 0.99].map((random) => chooseNode(nodes, random)?.name);
      expect([...new Set(found)]).to.have.members([...chosen]);
    });
  }
});

describe('askLivingNodes', () => {
  it('is in force with the ioredis that is installed, however often it is called', () => {
    const cluster = new Cluster([{ host: '127.0.0.1', port: 9 }], { lazyConnect: true });
    expect(askLivingNodes(cluster)).to.equal(true);
    expect(askLivingNodes(cluster)).to.equal(true);
    cluster.disconnect();
  });
});
