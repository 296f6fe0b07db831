import { Queue } from 'bullmq';
import { expect } from 'chai';

import { bullmqScripts, BULLMQ_VERSION, CALLERS_TIME, DUE_SCORES, loopMethods } from '../../../../../shared/queue/engine/bullmq-contract.js';
import { checkEngine } from '../../../../../shared/queue/engine/check-engine.js';
import { bullmqScript, definedScripts, type DefinedScript } from '../../../../../shared/queue/engine/defined-scripts.js';
import { readEngineFacts, type EngineFacts } from '../../../../../shared/queue/engine/engine-facts.js';
import { EngineMismatchError } from '../../../../../shared/queue/engine/engine-mismatch.js';
import type { QueueClient } from '../../../../../shared/queue/engine/queue-client.js';
import type { RedisClient } from '../../../../../shared/redis/redis-connection.js';
import { uniquePrefix } from '../../../../support/namespace.js';
import { connect } from '../../../../support/service-in-process.js';

describe('checkEngine', () => {
  let redis: RedisClient;
  let queue: Queue;
  let facts: EngineFacts;

  before(async () => {
    redis = connect('worker');
    queue = new Queue('engine', { connection: redis, prefix: uniquePrefix() });
    facts = await readEngineFacts(queue, await queue.getBackend().client);
  });
  after(async () => {
    await queue.close();
    redis.disconnect();
  });

  /** What the check finds in facts that differ from the real ones in one point. */
  function findings(change: Partial<EngineFacts>): readonly string[] {
    try {
      checkEngine({ ...facts, ...change });
    } catch (error) {
      if (error instanceof EngineMismatchError) return error.findings;
      throw error;
    }
    return [];
  }

  function withScript(name: keyof typeof bullmqScripts, change: (script: DefinedScript) => DefinedScript): Partial<EngineFacts> {
    return { scripts: { ...facts.scripts, [`${name}:${BULLMQ_VERSION}`]: change(bullmqScript(facts.scripts, name)) } };
  }

  const withoutScript = (name: string): Partial<EngineFacts> => ({ scripts: Object.fromEntries(Object.entries(facts.scripts).filter(([command]) => !command.startsWith(`${name}:`))) });

  /** BullMQ hands other arguments to the script. */
  const withCall = (name: string, change: (args: readonly unknown[]) => readonly unknown[]): Partial<EngineFacts> => ({ calls: facts.calls.map(({ script, args }) => ({ script, args: script === name ? change(args) : args })) });

  it('finds nothing wrong with the libraries that are installed', () => {
    expect(findings({})).to.deep.equal([]);
    expect(facts.calls.map(({ script }) => script)).to.have.members(['addDelayedJob', 'addPrioritizedJob', 'promote', 'reprocessJob', 'changePriority', 'moveStalledJobsToWait', 'moveToDelayed']);
  });

  it('refuses another BullMQ', () => {
    expect(findings({ bullmqVersion: '6.7.1' })).to.deep.equal([`bullmq: expected ${BULLMQ_VERSION}, found 6.7.1`]);
    expect(findings({ bullmqVersion: undefined })).to.deep.equal([`bullmq: expected ${BULLMQ_VERSION}, found undefined`]);
  });

  for (const [name, { keys, values }] of Object.entries(bullmqScripts) as [keyof typeof bullmqScripts, { keys: number; values: number }][]) {
    it(`refuses a ${name} that is missing, and one of other keys or values`, () => {
      expect(findings(withoutScript(name))).to.deep.equal([`bullmq: expected a script ${name}, found none`]);
      expect(findings(withScript(name, ({ lua }) => ({ lua, numberOfKeys: keys + 1 })))[0]).to.equal(`bullmq: expected ${keys} keys and ${values} values of the script ${name}, found ${keys + 1} and ${values}`);
      expect(findings(withScript(name, ({ lua }) => ({ lua: `${lua}\nlocal more = ARGV[${values + 1}]`, numberOfKeys: keys })))).to.deep.equal([
        `bullmq: expected ${keys} keys and ${values} values of the script ${name}, found ${keys} and ${values + 1}`,
      ]);
    });
  }

  for (const [name, value] of CALLERS_TIME) {
    it(`refuses a ${name} whose value ${value} is not the time: a worker would write the time over something else`, () => {
      const renamed = withScript(name, ({ lua, numberOfKeys }) => ({ numberOfKeys, lua: lua.replace(`ARGV[${value}]`, `ARGV[${value}] is something else, not the`) }));
      expect(findings(renamed)).to.deep.equal([`bullmq: expected the time as value ${value} of the script ${name}, found it nowhere`]);
    });
  }

  for (const [name, text] of DUE_SCORES) {
    it(`refuses a ${name} without ${text}: our scripts would make jobs due at another time`, () => {
      const other = withScript(name, ({ lua, numberOfKeys }) => ({ numberOfKeys, lua: lua.replaceAll(text, text.replace('0x1000', '0x2000')) }));
      expect(findings(other)).to.deep.equal([`bullmq: expected ${text} in the script ${name}, found it nowhere`]);
    });
  }

  for (const text of ['rcall("HGETALL", jobKey)', '"LIMIT", 0, 1000)', 'rcall("HSET", jobKey, "delay", 0)']) {
    it(`refuses a moveToFinished that has ${text} not at all, or twice`, () => {
      const told = (times: number): string => `bullmq: expected ${text} once in the script moveToFinished, found it ${times} times`;
      expect(findings(withScript('moveToFinished', (script) => ({ ...script, lua: script.lua.replaceAll(text, 'nothing') })))).to.deep.equal([told(0)]);
      expect(findings(withScript('moveToFinished', (script) => ({ ...script, lua: `${script.lua}\nlocal again = { ${text} }` })))).to.deep.equal([told(2)]);
    });
  }

  for (const [name, text] of [['moveToActive', 'rcall("ZREM", delayedKey, unpack(jobs))'], ['retryJob', 'rcall("ZREM", delayedKey, unpack(jobs))'], ['moveStalledJobsToWait', 'if (removed > 0) then'], ['promote', 'if rcall("ZREM", KEYS[1], jobId) == 1 then'], ['addDelayedJob', 'local timestamp = args[4]']] as const) {
    it(`refuses a ${name} that has ${text} not at all: a job could end up nowhere, or be due at another time`, () => {
      expect(findings(withScript(name, (script) => ({ ...script, lua: script.lua.replaceAll(text, '') })))).to.deep.equal([`bullmq: expected ${text} once in the script ${name}, found it 0 times`]);
    });
  }

  for (const name of ['addDelayedJob', 'addPrioritizedJob', 'promote', 'reprocessJob', 'changePriority', 'moveStalledJobsToWait', 'moveToDelayed'] as const) {
    it(`refuses a BullMQ that hands one argument more to ${name}`, () => {
      const { keys, values } = bullmqScripts[name];
      expect(findings(withCall(name, (args) => [...args, 'more']))).to.deep.equal([`bullmq: expected ${keys + values} arguments of the script ${name}, found ${keys + values + 1}`]);
    });
  }

  it('refuses a BullMQ that adds jobs by a script it does not know', () => {
    expect(findings({ calls: [...facts.calls, { script: 'addJobV2', args: [] }] })).to.have.lengthOf(1).and.to.match(/found addJobV2/);
  });

  it('refuses a BullMQ that puts a job back with its keys or values in another order: a waiting list would hold the wrong thing', () => {
    const expected = ['bullmq: expected the job as key 5 and value 3 of the script moveToDelayed, found it elsewhere'];
    const swapped = (first: number, second: number) => (args: readonly unknown[]): readonly unknown[] => args.map((each, index) => (index === first ? args[second] : index === second ? args[first] : each));
    expect(findings(withCall('moveToDelayed', swapped(3, 4)))).to.deep.equal(expected);
    expect(findings(withCall('moveToDelayed', swapped(12, 13)))).to.deep.equal(expected);
  });

  it('refuses a BullMQ that looks for stalled jobs with its keys in another order: those of a dead worker would be put elsewhere', () => {
    const [stalled, mark] = [`${facts.keyPrefix}stalled`, `${facts.keyPrefix}stalled-check`];
    const swapped = withCall('moveStalledJobsToWait', ([first, second, ...rest]) => [second, first, ...rest]);
    expect(findings(swapped)).to.deep.equal([`bullmq: expected the keys ${stalled},${mark},${facts.keyPrefix} at their places in the call of moveStalledJobsToWait, found ${facts.keyPrefix}wait,${mark},${facts.keyPrefix}`]);
  });

  it('refuses a BullMQ in whose moveToFinished other keys differ between jobs: a group would share them', () => {
    const [first, second] = facts.ends;
    expect(findings({ ends: [['another wait', ...first.slice(1)], second] })).to.deep.equal(['bullmq: expected the keys 10,11,12 of the script moveToFinished to differ between jobs, found 0,10,11,12']);
  });

  it('refuses a BullMQ whose jobs send their transitions in another way: the last failure would not be written', () => {
    expect(findings({ sharesBackend: false })).to.deep.equal(["bullmq: expected a job to keep its queue's backend in 'backend', found another one or none"]);
  });

  for (const [name, calls] of Object.entries(loopMethods)) {
    it(`refuses a BullMQ whose loop does not go through ${name} as it did: what is replaced there would help nothing`, () => {
      expect(findings({ loop: { ...facts.loop, [name]: undefined } })).to.deep.equal([`bullmq: expected a method ${name}, found none`]);
      const other = (): undefined => undefined;
      expect(findings({ loop: { ...facts.loop, [name]: other } })).to.deep.equal(calls.map((call) => `bullmq: expected ${call} in ${name}, found it nowhere`));
    });
  }

  it('names all that differs at once', () => {
    expect(findings({ bullmqVersion: '7.0.0', sharesBackend: false, ...withoutScript('promote') })).to.have.lengthOf(3);
  });

  it('cannot even ask an ioredis that keeps its scripts elsewhere', () => {
    // A connection of another ioredis, as far as it is looked at.
    const other = {} as QueueClient;
    expect(() => definedScripts(other)).to.throw(EngineMismatchError, "to keep their scripts in 'scriptsSet', found no such property");
  });
});
