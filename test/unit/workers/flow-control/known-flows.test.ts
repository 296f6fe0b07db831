import { expect } from 'chai';

import { deadFlowOf, flowNamed, type Flow } from '../../../../shared/domain/destinations/flow.js';
import { KnownFlows } from '../../../../workers/flow-control/known-flows.js';

const HOST = 'http://a';
const path = (name: string): Flow => flowNamed(`${HOST}/${name}`, HOST);
const others = flowNamed(HOST, HOST);

describe('KnownFlows', () => {
  it('takes a path for an endpoint with the second task that goes there, not with a retry of the first', () => {
    const known = new KnownFlows();
    expect([1, 2, 3].map(() => known.resolve(path('x'), 'task-1'))).to.deep.equal([others, others, others]);
    expect(known.resolve(path('x'), 'task-2')).to.deep.equal(path('x'));
    expect(known.resolve(path('x'), 'task-1'), 'the first one, too').to.deep.equal(path('x'));
  });

  it('says whether more than one task has gone there, and counts none by that', () => {
    const known = new KnownFlows();
    expect(known.has(path('x'))).to.equal(false);
    known.resolve(path('x'), 'task-1');
    expect(known.has(path('x'))).to.equal(false);
    known.resolve(path('x'), 'task-2');
    expect([known.has(path('x')), known.has(deadFlowOf(path('x')))]).to.deep.equal([true, false]);
  });

  it('counts single dead letters together, apart from deliveries', () => {
    const known = new KnownFlows();
    expect(known.resolve(deadFlowOf(path('x')), 'task-1')).to.deep.equal(deadFlowOf(others));
    expect(known.resolve(deadFlowOf(path('x')), 'task-2')).to.deep.equal(deadFlowOf(path('x')));
    expect(known.resolve(path('x'), 'task-3'), 'deliveries there are not known by that').to.deep.equal(others);
  });

  it('counts single flow_keys of a host together, and knows a flow_key for each host', () => {
    const known = new KnownFlows();
    const [here, elsewhere] = [flowNamed('tenant-7', HOST), flowNamed('tenant-7', 'http://b')];
    for (const id of ['task-1', 'task-2']) known.resolve(here, id);
    expect(known.resolve(here, 'task-3')).to.deep.equal(here);
    expect(known.resolve(elsewhere, 'task-4')).to.deep.equal(flowNamed('http://b', 'http://b'));
  });

  it('stays bounded, whatever number of paths it sees, and keeps those that are in use', () => {
    const known = new KnownFlows();
    for (let nth = 0; nth < 100_000; nth += 1) {
      known.resolve(path(`id-${nth}`), `task-${nth}`);
      if (nth % 1_000 === 0) known.resolve(path('lasting'), `lasting-${nth}`);
    }
    expect(known.remembered).to.be.at.most(10_000);
    expect(known.resolve(path('lasting'), 'the next one')).to.deep.equal(path('lasting'));
  });

  it('learns from another worker, and tells of the first task when the second shows that a flow is one', () => {
    const told: string[] = [];
    const known = new KnownFlows((flow, first) => told.push(`${flow.key} ${first}`));
    known.learn(path('learnt'));
    expect(known.resolve(path('learnt'), 'task-1')).to.deep.equal(path('learnt'));
    for (const id of ['task-1', 'task-1', 'task-2', 'task-3']) known.resolve(path('x'), id);
    expect(told).to.deep.equal([`${path('x').key} task-1`]);
  });

  it('counts a task that waits among the others as the first of its flow, unless it would drive out flows in use', () => {
    const known = new KnownFlows();
    expect([known.isKnownTo(path('x'), 'task-1'), known.isKnownTo(path('x'), 'task-1'), known.isKnownTo(path('x'), 'task-2')]).to.deep.equal([false, false, true]);
    for (const id of ['1', '2']) known.resolve(path('in-use'), id);
    for (let nth = 0; nth < 100_000; nth += 1) known.isKnownTo(path(`waits-${nth}`), `task-${nth}`);
    expect(known.remembered).to.be.at.most(2_500);
    expect(known.isKnownTo(path('in-use'), '3'), 'told also when there is no room for more').to.equal(true);
  });

  it('names the known flows of a host, not of others', () => {
    const known = new KnownFlows();
    for (const id of ['1', '2']) for (const flow of [path('x'), path('y'), flowNamed('http://b/x', 'http://b'), deadFlowOf(path('x'))]) known.resolve(flow, id);
    known.resolve(path('once'), '3');
    expect(known.of(HOST, 10)).to.deep.equal([path('x').id, path('y').id]);
    expect(known.of(HOST, 1)).to.deep.equal([path('y').id]);
    // So many that the newer half is begun anew: then one flow of the older half is used again.
    for (let nth = 0; nth < 5_000; nth += 1) known.resolve(flowNamed(`http://c/${nth}`, 'http://c'), '1');
    known.resolve(path('x'), '4');
    for (const id of ['1', '2']) known.resolve(path('z'), id);
    expect(known.of(HOST, 10), 'each once').to.deep.equal([path('y').id, path('x').id, path('z').id]);
    expect(known.of(HOST, 2)).to.deep.equal([path('x').id, path('z').id]);
  });
});
