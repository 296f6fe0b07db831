import { expect } from 'chai';

import { judgeStatus, printSpan, reasonCodes, type StatusFacts } from '../../../../server/stats/judge-status.js';
import type { TaskCounts } from '../../../../shared/queue/tasks/task-counts.js';

const NOTHING_HELD = { paused: 0, no_worker: 0, circuit_open: 0, limit: 0, rate_lowered: 0, destination_busy: 0 };
const counts: TaskCounts = {
  ...{ waiting: 0, due: 0, sending: 0, ended: 0, deadLettered: 0, parked: 0, unreadable: 0 },
  ...{ scheduled: 0, retrying: 0, deadLettering: 0, cancelled: 0, held: [], isHeldExact: true, oldestDueMs: undefined },
};
const well: StatusFacts = { counts, held: NOTHING_HELD, shardsAway: [], shardsRefusing: [], shards: 3, workers: 2, openCircuits: [], paused: [], takesWrites: true, shardsUnreplicated: [], isFleetAccepting: true, isPreviousRead: true, isRedisAboveMark: false, usedRatio: 0.3 };
const away: StatusFacts = { ...well, counts: undefined, held: undefined, workers: undefined, usedRatio: undefined };

describe('the status of the service', () => {
  it('is ok when there is nothing to do for a person', () => {
    expect(judgeStatus(well)).to.deep.equal({ status: 'ok', reasons: [] });
    expect(judgeStatus({ ...well, counts: { ...counts, due: 4, oldestDueMs: 4_999 } }).status, 'a moment in the queue').to.equal('ok');
  });

  const cases: readonly (readonly [string, Partial<StatusFacts>, 'degraded' | 'down', string, string])[] = [
    ['Redis is away', away, 'down', 'redis_unavailable', 'Redis does not answer: no task is taken, and none is sent. What was accepted is kept by Redis'],
    ['Redis takes no writes', { takesWrites: false }, 'down', 'redis_unavailable', 'Redis answers, and takes no writes: no task is taken, and none is sent'],
    ['Redis takes no writes, and says why', { takesWrites: false, refusal: 'NOREPLICAS Not enough good replicas to write.' }, 'down', 'redis_unavailable', 'Redis answers, and takes no writes (NOREPLICAS Not enough good replicas to write.): no task is taken, and none is sent'],
    ['Redis refuses all', { ...away, takesWrites: false, refusal: 'redis 10.0.0.1:6379 asks for a password, set REDIS_PASSWORD', keptOut: 'redis 10.0.0.1:6379 asks for a password, set REDIS_PASSWORD' }, 'down', 'redis_unavailable', 'Redis answers, and refuses what it is asked (redis 10.0.0.1:6379 asks for a password, set REDIS_PASSWORD): no task is taken, and none is sent'],
    ['Redis takes no more connections', { ...away, keptOut: 'redis 10.0.0.1:6379 takes no more connections' }, 'down', 'redis_unavailable', 'Redis does not let us in (redis 10.0.0.1:6379 takes no more connections): no task is taken, and none is sent. What was accepted is kept by Redis'],
    ['a right is missing, without which workers cannot report', { workers: 0, lacks: 'redis user u may not use HINCRBY: see ACL SETUSER' }, 'degraded', 'redis_unavailable', 'Redis does not give us all rights (redis user u may not use HINCRBY: see ACL SETUSER): what needs them is refused, and deliveries may stand still'],
    ['the old Redis is away', { isPreviousRead: false }, 'degraded', 'redis_unavailable', 'the old Redis (PREVIOUS_REDIS_ADDR) cannot be read: no task is taken, because it may know the id. What was accepted before is sent'],
    ['no master has enough replicas', { shardsUnreplicated: ['deliver-0', 'deliver-1', 'deliver-2'] }, 'degraded', 'redis_unavailable', 'Redis has fewer replicas in step than REDIS_MIN_REPLICAS: new tasks and changes are refused there (503 redis_unavailable), and deliveries go on'],
    ['one master has too few replicas', { shardsUnreplicated: ['deliver-1'] }, 'degraded', 'redis_unavailable', '1 of 3 shards (deliver-1) have fewer replicas in step than REDIS_MIN_REPLICAS: new tasks and changes are refused there (503 redis_unavailable), and deliveries go on'],
    ['only the part with the reports is away', { workers: undefined, held: undefined }, 'degraded', 'redis_unavailable', 'the part of Redis that holds limits, circuits and the reports of workers does not answer, takes no writes, or was away until a moment ago: how many workers run is not known'],
    ['no worker runs', { workers: 0, counts: { ...counts, due: 1 } }, 'down', 'no_worker', 'no worker has reported within 5 s: nothing is sent, and 1 task is due'],
    ['a shard is away', { shardsAway: ['deliver-2'] }, 'degraded', 'shard_away', '1 of 3 shards do not answer (deliver-2): their tasks wait, and are not in the counts'],
    ['a shard takes no writes', { shardsRefusing: ['deliver-2'] }, 'degraded', 'shard_away', '1 of 3 shards take no writes (deliver-2): no task is taken there, and none is sent'],
    ['one shard is away, and another one takes no writes', { shardsAway: ['deliver-0'], shardsRefusing: ['deliver-2'] }, 'degraded', 'shard_away', '1 of 3 shards do not answer (deliver-0): their tasks wait, and are not in the counts; 1 of 3 shards take no writes (deliver-2): no task is taken there, and none is sent'],
    ['workers cannot report', { isFleetAccepting: false, workers: undefined }, 'degraded', 'redis_unavailable', 'the part of Redis that holds keys, limits and circuits takes no writes, or has fewer replicas in step than REDIS_MIN_REPLICAS: changes of them are refused, and workers cannot report'],
    ['what concerns the whole fleet takes no writes', { isFleetAccepting: false }, 'degraded', 'redis_unavailable', 'the part of Redis that holds keys, limits and circuits takes no writes, or has fewer replicas in step than REDIS_MIN_REPLICAS: changes of them are refused'],
    ['Redis is nearly full', { isRedisAboveMark: true, usedRatio: 0.914 }, 'degraded', 'redis_memory', 'Redis has used 91 % of its memory: new tasks are refused (503 redis_full), and deliveries go on'],
    [
      'tasks are late',
      { counts: { ...counts, due: 3, oldestDueMs: 24_300 }, held: { ...NOTHING_HELD, destination_busy: 285 } },
      'degraded',
      'late',
      'the oldest due task has waited for 24 s: 3 wait for a slot, 285 are held back (destination busy)',
    ],
    ['tasks are late, and none waits for a slot', { counts: { ...counts, due: 0, oldestDueMs: 15_000 }, held: { ...NOTHING_HELD, circuit_open: 1 } }, 'degraded', 'late', 'the oldest due task has waited for 15 s: 1 is held back (circuit open)'],
    ['a circuit is open', { openCircuits: ['https://a'], held: { ...NOTHING_HELD, circuit_open: 12 } }, 'degraded', 'circuit_open', '1 destination has an open circuit (https://a): 12 tasks are held back'],
    ['many circuits are open', { openCircuits: ['a', 'b', 'c', 'd', 'e'] }, 'degraded', 'circuit_open', '5 destinations have an open circuit (a, b, c and 2 more)'],
    ['a destination is paused', { paused: ['https://a'], held: { ...NOTHING_HELD, paused: 288 } }, 'degraded', 'paused', '1 destination is paused by an operator (https://a): 288 tasks are held back'],
    ['everything is paused', { paused: ['*'] }, 'degraded', 'paused', 'every destination is paused by an operator'],
    ['tasks are parked', { counts: { ...counts, parked: 2 } }, 'degraded', 'parked', '2 tasks are parked: they wait for a person, and are the only copies left'],
    ['a task cannot be read', { counts: { ...counts, unreadable: 1 } }, 'degraded', 'unreadable', 'workers cannot read 1 task, which a newer version wrote: update the workers'],
  ];
  for (const [what, changes, status, code, message] of cases) {
    it(`is ${status} while ${what}, and says so in one sentence`, () => {
      expect(judgeStatus({ ...well, ...changes })).to.deep.equal({ status, reasons: [{ code, message }] });
    });
  }

  it('says that due tasks wait for a worker while none runs', () => {
    const { reasons } = judgeStatus({ ...well, workers: 0, counts: { ...counts, due: 8, oldestDueMs: 53_000 }, held: { ...NOTHING_HELD, no_worker: 115 } });
    expect(reasons.find(({ code }) => code === 'late')?.message).to.equal('the oldest due task has waited for 53 s: 8 wait for a worker, 115 are held back (no worker)');
  });

  it('shows every reason, the worst one first', () => {
    const all = judgeStatus({ ...well, shardsAway: ['deliver-0'], workers: 0, takesWrites: false, isRedisAboveMark: true, openCircuits: ['a'], paused: ['b'], counts: { ...counts, parked: 1, unreadable: 1, oldestDueMs: 9_000 } });
    expect(all.reasons.map(({ code }) => code)).to.deep.equal([...reasonCodes]);
    expect(all.status).to.equal('down');
  });

  it('shows the characters of a name that would change how a line looks', () => {
    expect(judgeStatus({ ...well, paused: ['a\u202eb'] }).reasons[0]?.message).to.not.include('\u202e');
  });
});

describe('a span of time', () => {
  const spans = [[0, '0 s'], [999, '0 s'], [24_300, '24 s'], [60_000, '1 min'], [150_000, '2 min 30 s'], [7_500_000, '2 h 5 min'], [90_000_000, '1 d 1 h'], [86_400_000, '1 d']] as const;
  for (const [ms, text] of spans) it(`of ${ms} ms reads ${text}`, () => { expect(printSpan(ms)).to.equal(text); });
});
