import { expect } from 'chai';

import { flowNamed, type Flow } from '../../../../shared/domain/destinations/flow.js';
import { LimitTurns, type WaitsForLimit } from '../../../../workers/flow-control/limit-turns.js';
import { eventually } from '../../../support/eventually.js';

interface Waiting extends WaitsForLimit {
  readonly name: string;
  room: number;
  tasks: number;
  isWaking: boolean;
}

const limit = { name: '*', policy: { ratePerSecond: 20 } };

class Flows {
  now = 0;
  readonly woken: string[] = [];
  readonly turns = new LimitTurns<Waiting>({
    limitOf: () => limit,
    roomOf: () => Promise.resolve(this.now),
    roomFor: ({ room }) => room,
    isWaiting: ({ tasks }) => tasks > 0,
    wake: (waiting, _limit, wanted) => {
      const woken = Math.min(wanted, waiting.tasks);
      waiting.tasks -= woken;
      this.now -= woken;
      this.woken.push(...Array.from({ length: woken }, () => waiting.name));
    },
  });

  add(name: string, changes: Partial<Waiting> = {}): Waiting {
    const flow: Flow = flowNamed(`http://${name}/`, `http://${name}`);
    return { name, flow, room: 100, tasks: 1_000, isWaking: false, isAskedAgain: false, ...changes };
  }

  async ask(...some: readonly Waiting[]): Promise<void> {
    for (const each of some) this.turns.ask(limit, each);
    // Both questions are answered in a turn of the event loop.
    await new Promise((resolve) => { setImmediate(resolve); });
  }
}

describe('the turns of a limit', () => {
  it('give each flow an equal part, and the next one what is left for the next time', async () => {
    const flows = new Flows();
    const [a, b, c] = [flows.add('a'), flows.add('b'), flows.add('c')];
    flows.now = 2;
    await flows.ask(a, b, c);
    flows.now = 2;
    await flows.ask(a);
    expect(flows.woken).to.deep.equal(['a', 'b', 'c', 'a']);
  });

  it('leave out those that cannot be sent anyway, however many they are and wherever they stand', async () => {
    const flows = new Flows();
    const paused = Array.from({ length: 5_000 }, (_, nth) => flows.add(`paused-${nth}`, { room: 0 }));
    const well = flows.add('well');
    await flows.ask(...paused, well);
    flows.now = 1_000;
    await flows.ask(well);
    await flows.ask(well);
    expect(flows.woken.length, 'as many as there is room for').to.be.at.least(100);
    flows.now = 0;
    await flows.ask(...paused.slice(0, 30), well);
    expect(flows.turns.isAwaited('*'), 'by the one that could be sent').to.equal(true);
  });

  it('do not hold up those that come when only such wait as cannot be sent, or none', async () => {
    const flows = new Flows();
    const paused = flows.add('paused', { room: 0 });
    const gone = flows.add('gone', { tasks: 0 });
    await flows.ask(paused, gone);
    expect(flows.turns.isAwaited('*')).to.equal(false);
    const well = flows.add('well');
    await flows.ask(well);
    expect(flows.turns.isAwaited('*')).to.equal(true);
    well.tasks = 0;
    expect(flows.turns.isAwaited('*')).to.equal(false);
  });

  it('ask a flow that is being woken once more when that is done', async () => {
    const flows = new Flows();
    const busy = flows.add('busy', { isWaking: true });
    flows.now = 5;
    await flows.ask(busy);
    await eventually(() => { expect([busy.isAskedAgain, flows.woken]).to.deep.equal([true, []]); });
  });
});
