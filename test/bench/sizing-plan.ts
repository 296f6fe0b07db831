import { FLEET_SLOTS, slotShare, type SlotSetting } from '../../shared/domain/flow/slot-share.js';

/** What one task costs on this machine, at one size of messages. */
export interface Costs {
  /** CPU of an API process for a submission, of a worker for a delivery, and of Redis for both together, microseconds. */
  readonly apiUs: number;
  readonly workerUs: number;
  readonly redisUs: number;
  /** Redis memory of a waiting task, bytes. */
  readonly taskBytes: number;
}

export interface Load {
  /** Tasks that are submitted in a second, and as many sent. */
  readonly perSecond: number;
  /** From the start of a send to its answer, ms. */
  readonly latencyMs: number;
  /** Tasks that wait at once. */
  readonly waiting: number;
}

export interface Plan {
  readonly apis: number;
  readonly workers: number;
  readonly shards: number;
  /** Sends at once. */
  readonly inFlight: number;
  /** WORKER_CONCURRENCY: `auto` wherever the slots that it shares out are enough. */
  readonly concurrency: SlotSetting;
  /** `maxmemory` of all shards together, bytes. */
  readonly maxmemory: number;
}

/** A process that is busier is late when a burst comes, and its event loop's lag shows. */
const BUSY_SHARE = 0.7;
/** Redis has one thread for commands; above this its answers wait for each other, and a rewrite of its file needs room. */
const REDIS_BUSY_SHARE = 0.5;
/** One process has more to do with more than one core can. */
const SLOTS_OF_WORKER = 1_000;
/** A number is rounded up to a multiple of this. */
const ROUND_SLOTS = 100;
/** Two of each, so that one may be lost or replaced. */
const LEAST = 2;
/** REDIS_HIGH_WATER, and half of the rest is left to what is being sent, kept records and the log of attempts. */
const MEMORY_SHARE = 0.7;

/** How many processes and shards a load needs, by what a task costs. Pure arithmetic: docs/SIZING.md says it in words. */
export function sizingPlan(costs: Costs, { perSecond, latencyMs, waiting }: Load): Plan {
  const cores = (us: number): number => (perSecond * us) / 1_000_000;
  const inFlight = Math.ceil((perSecond * latencyMs) / 1_000);
  const workers = Math.max(LEAST, Math.ceil(cores(costs.workerUs) / BUSY_SHARE), Math.ceil(inFlight / SLOTS_OF_WORKER));
  const concurrency = concurrencyFor(inFlight, workers);
  // What `auto` gives beyond its share of one Redis is idle here, and so searched by nobody.
  const slots = concurrency === 'auto' ? inFlight : workers * concurrency;
  return {
    apis: Math.max(LEAST, Math.ceil(cores(costs.apiUs) / BUSY_SHARE)),
    workers,
    shards: Math.max(1, Math.ceil(cores(costs.redisUs) / REDIS_BUSY_SHARE), Math.ceil(slots / FLEET_SLOTS)),
    inFlight,
    concurrency,
    maxmemory: Math.ceil((waiting * costs.taskBytes) / MEMORY_SHARE),
  };
}

/** `auto` shares out the same 2,000 slots however many Redis there are: above that each worker has to be given a number. */
function concurrencyFor(inFlight: number, workers: number): SlotSetting {
  return workers * slotShare('auto', workers) >= inFlight ? 'auto' : Math.ceil(inFlight / workers / ROUND_SLOTS) * ROUND_SLOTS;
}
