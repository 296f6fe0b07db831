import { expect } from 'chai';
import fc from 'fast-check';

import { createTaskParser } from '../../../../../server/tasks/schema.js';
import { changeableFields, fixedFields, mergePatch, shownSubmissionOf, submissionOf } from '../../../../../shared/domain/task/task-patch.js';
import { contentHash, haveSameFields } from '../../../../../shared/queue/tasks/task-codec.js';
import { domainTask } from '../../../../support/tasks.js';

const parse = createTaskParser({ maxMessageBytes: 1_048_576, defaultJitter: 'equal' });
const task = parse({
  id: 'a',
  source: 's',
  client_id: 'c',
  destination_type: 'http',
  destination: { url: 'https://u:p@a/x' },
  dead_destination: { url: 'https://dead/' },
  max_retries: 5,
  base_delay: 1,
  message_data: 'm',
  flow_key: 'a',
});

describe('submissionOf', () => {
  it('is a request that gives the same task again, whatever the defaults are', () => {
    const seconds = fc.double({ min: 0.000_001, max: 86_400, noNaN: true });
    fc.assert(
      fc.property(seconds, seconds, fc.integer({ min: 0, max: 100 }), fc.boolean(), (base, initial, retries, isPriority) => {
        const one = parse({ ...submissionOf(task), base_delay: base, initial_delay: initial, max_retries: retries, is_priority: isPriority });
        const again = createTaskParser({ maxMessageBytes: 10, defaultJitter: 'full' })(submissionOf(one));
        expect(haveSameFields(one, again)).to.equal(true);
        expect(contentHash(again)).to.equal(contentHash(one));
      }),
    );
  });

  it('leaves out what a task has not', () => {
    expect(submissionOf(domainTask({ deadDestination: undefined, onExhausted: 'park' }))).to.not.have.any.keys('dead_destination', 'dead_destination_type', 'flow_key');
  });
});

describe('shownSubmissionOf', () => {
  it('hides the secrets of both destinations', () => {
    const kafka = { type: 'kafka', broker: undefined, topic: 't', key: 'k', headers: { token: 'secret', ['__proto__']: 'secret' } } as const;
    const shown = JSON.stringify(shownSubmissionOf({ ...task, deadDestination: kafka }));
    expect(shown).to.include('https://u:***@a/x').and.include('{"topic":"t","key":"k","headers":{"token":"***","__proto__":"***"}}').and.not.include('secret');
  });
});

describe('mergePatch', () => {
  it('knows every field of a task, as one that may be changed or one that may not', () => {
    expect([...changeableFields, ...fixedFields]).to.include.members(Object.keys(submissionOf(task)));
    expect(fixedFields).to.have.members(['id', 'source', 'client_id', 'initial_delay']);
  });

  it('sets, takes away, and leaves the rest', () => {
    const merged = mergePatch(task, { max_retries: 9, flow_key: null });
    const { flow_key: _gone, ...rest } = submissionOf(task);
    expect(merged).to.deep.equal({ ...rest, max_retries: 9 });
    expect(parse(merged).retryPolicy).to.deep.equal({ ...task.retryPolicy, maxRetries: 9 });
  });

  it('changes nothing when nothing is named', () => {
    expect(mergePatch(task, {})).to.deep.equal(submissionOf(task));
  });

  it('replaces a destination as a whole, and does not mix it with the old one', () => {
    expect(mergePatch(task, { destination: { url: 'https://b/' } })['destination']).to.deep.equal({ url: 'https://b/' });
    expect(mergePatch(task, { destination: {} })['destination']).to.deep.equal({});
  });

  for (const [url, kept] of [['https://u:***@a/y', 'https://u:p@a/y'], ['https://u:***@b/y', 'https://u:***@b/y']] as const) {
    it(`makes ${kept} of ${url}`, () => {
      expect(mergePatch(task, { destination: { url } })['destination']).to.deep.equal({ url: kept });
    });
  }

  it('takes the secret of the same destination, and not of the other one', () => {
    expect(mergePatch(task, { dead_destination: { url: 'https://u:***@a/y' } })['dead_destination']).to.deep.equal({ url: 'https://u:***@a/y' });
  });

  it('keeps no secret when the type changes', () => {
    const merged = mergePatch(task, { destination_type: 'kafka', destination: { topic: 't', headers: { a: '***' } } });
    expect(() => parse(merged)).to.throw('***');
  });

  it('hides a flow_key with a login in it, and takes the mark back', () => {
    for (const flowKey of ['https://u:secret@a/x', 'amqp://u:secret@a', '//u:secret@a']) {
      const keyed = { ...task, flowKey };
      expect(shownSubmissionOf(keyed)['flow_key']).to.equal('***');
      expect(mergePatch(keyed, { flow_key: '***', destination: { url: 'https://b/' } })['flow_key']).to.equal(flowKey);
    }
    for (const flowKey of ['tenant-7', 'a@b', 'https://a/x?y=z']) expect(shownSubmissionOf({ ...task, flowKey })['flow_key']).to.equal(flowKey);
    expect(mergePatch(task, { flow_key: '***' })['flow_key']).to.equal('***');
  });

  it('keeps the type of a dead destination that is replaced, and drops it with one that is taken away', () => {
    const kafkaDead = parse({ ...submissionOf(task), dead_destination_type: 'kafka', dead_destination: { topic: 't' } });
    expect(parse(mergePatch(kafkaDead, { dead_destination: { topic: 'u' } })).deadDestination).to.include({ type: 'kafka', topic: 'u' });
    const parked = parse(mergePatch(kafkaDead, { dead_destination: null, on_exhausted: 'park' }));
    expect([parked.deadDestination, parked.onExhausted]).to.deep.equal([undefined, 'park']);
    expect(parse(mergePatch(parked, { dead_destination: { url: 'https://d/' }, on_exhausted: null })).deadDestination).to.deep.equal({ type: 'http', url: 'https://d/' });
  });

  it('never throws for values of any kind', () => {
    fc.assert(fc.property(fc.constantFrom(...changeableFields), fc.anything(), (name, value) => { expect(() => mergePatch(task, { [name]: value })).to.not.throw(); }));
  });
});
