import { benchBatch } from './batch.js';
import { size, type Benchmark } from './benchmark.js';
import { benchBulk } from './bulk.js';
import { benchDeadPath } from './dead-path.js';
import { benchDelivery } from './delivery.js';
import { benchDestinations } from './destinations.js';
import { benchFailing } from './failing.js';
import { benchFairness, benchFairnessInOneHost, benchS1 } from './fairness.js';
import { benchFairnessBySlots } from './fairness-slots.js';
import { benchFlowKeys } from './flow-keys.js';
import { benchGrowth } from './growth.js';
import { benchKafka } from './kafka.js';
import { benchKeyLimits } from './key-limits.js';
import { benchLateness } from './lateness.js';
import { benchLongRun } from './long-run.js';
import { benchMinReplicas } from './min-replicas.js';
import { benchPaths } from './paths.js';
import { benchRetryAll } from './retry-all.js';
import { benchSearch } from './search.js';
import { benchSizing } from './sizing.js';
import { benchSlots } from './slots.js';
import { benchSubmission } from './submission.js';
import { benchTelemetry } from './telemetry.js';
import { benchTopology } from './topology.js';
import { benchWaitingMemory } from './waiting-memory.js';
import { benchWorkerProcesses } from './worker-processes.js';

/** Every benchmark, in the order in which they run and stand in docs/PERFORMANCE.md. */
export const benchmarks: readonly Benchmark[] = [
  { name: 'delivery', measures: 'One worker process, one fast HTTP receiver, everything due at once, beside a bare BullMQ Worker + undici with as many sends in flight.', rounds: 7, run: benchDelivery },
  { name: 'telemetry', measures: 'What metrics cost a delivery: CPU of a worker for one, in turns with a worker that counts nothing, and what counting takes by itself. What traces cost, off and on.', rounds: 7, run: benchTelemetry },
  { name: 'destinations', measures: 'The same to 1,000 and 10,000 distinct destinations in turn.', rounds: 3, run: benchDestinations },
  { name: 'paths', measures: 'The same to one, 1,000 and 50,000 paths of one host, beside the last version that knew no endpoints, in the same rounds.', rounds: 3, run: benchPaths },
  { name: 'failing', measures: 'The same with every tenth task failing once and retried after 100 ms.', rounds: 3, run: benchFailing },
  { name: 'kafka', measures: 'One worker process, one topic of a real broker, acks all, beside a bare BullMQ Worker + kafkajs with the same batch limits, and beside kafkajs without a queue.', rounds: 7, run: benchKafka },
  { name: 'submission', measures: 'POST /tasks over 64 connections, beside Express + express.json + queue.add, and beside bare node:http + JSON.parse + queue.add. With an access key, beside without one.', rounds: 7, run: (bench) => benchSubmission(bench.redisPort, bench.rounds, size(bench, 15_000, 500)) },
  { name: 'key-limits', measures: 'CPU of the API and of Redis for a POST /tasks with an access key that has a rate limit and a quota, in turns with a key that has none.', rounds: 7, run: benchKeyLimits },
  { name: 'min-replicas', measures: 'The same with REDIS_MIN_REPLICAS=1, beside 0, on a master with one replica.', rounds: 7, run: (bench) => benchMinReplicas(bench, size(bench, 10_000, 500)) },
  { name: 'topology', measures: 'Redis CPU a task at the same rate a shard, and what idleness costs: one Redis, 16 queues on one Redis, and a Cluster of 3 masters, with a replica for each master and two workers.', rounds: 3, run: benchTopology },
  { name: 'batch', measures: 'POST /tasks/batch of 500, four at once, beside node:http + JSON.parse + addBulk of 500, and beside addBulk alone.', rounds: 7, run: (bench) => benchBatch(bench.redisPort, bench.rounds, size(bench, 40, 8)) },
  { name: 'lateness', measures: 'Arrival minus due time at 100 tasks due per second, beside a bare BullMQ Worker.', rounds: 7, run: benchLateness },
  { name: 'fairness-s1', measures: 'S1: 200 tasks to a receiver that takes 5 s ahead of 1,000 to a fast one, one worker process with the default slots, beside a bare BullMQ Worker with as many. Both have delivered 3,000 tasks before, or have just started.', rounds: 7, run: benchS1 },
  { name: 'fairness', measures: 'The same with more slow tasks than slots. S2: 5,000 (and 20,000) slow ones to one destination, 500 fast per second for 30 s. S3: 20 slow destinations with 100 tasks each, 300 fast per second for 15 s.', rounds: 1, run: benchFairness },
  { name: 'fairness-one-host', measures: 'S1, S2 and S3 again, with all receivers on paths of one origin.', rounds: 1, run: benchFairnessInOneHost },
  { name: 'fairness-slots', measures: 'Slow paths that take 5 s beside a fast one of the same origin, by the number of slots and of workers. One slow path: S1, by workers that have delivered 3,000 tasks to another host, and by such as have just started. 150 slow paths: 10 tasks each, due at once, and 300 fast per second for 15 s. Beside the same with nothing slow.', rounds: 1, run: benchFairnessBySlots },
  { name: 'dead-path', measures: '200 tasks due a second to ten paths of one host, one of which answers 503, beside the same with all ten well. Dead letters go to the same host.', rounds: 3, run: benchDeadPath },
  { name: 'flow-keys', measures: '1,000,000 tasks of one paused destination, due at once, with a flow_key each, beside the same without flow_keys: the slowest task to another destination meanwhile, and deliveries after the resume.', rounds: 1, run: benchFlowKeys },
  { name: 'processes', measures: 'One, two and three worker processes on one machine, which they share with Redis and the receiver, which answers at once or takes 50 ms.', rounds: 3, run: benchWorkerProcesses },
  { name: 'slots', measures: 'WORKER_CONCURRENCY from 25 to 1,000, 20 destinations, with a receiver that answers at once and one that takes 50 ms, beside the default.', rounds: 2, run: benchSlots },
  { name: 'waiting-memory', measures: 'Redis memory of tasks that wait, beside a bare queue.add of the same request body.', rounds: 1, run: benchWaitingMemory },
  { name: 'sizing', measures: 'CPU and memory of one task with the size of message that you name, and from it how many API processes, workers and Redis shards a load needs: docs/SIZING.md.', rounds: 1, run: benchSizing },
  { name: 'search', measures: 'Searches over 1,000,000 waiting tasks with a message of 1 KB, and deliveries meanwhile beside deliveries without a search.', rounds: 3, run: benchSearch },
  { name: 'retry-all', measures: 'Retry all of Bull Board with 1,000,000 dead letters of 1 KB, and a client that asks for a task meanwhile.', rounds: 1, run: benchRetryAll },
  { name: 'bulk', measures: 'A redrive of 100,000 parked tasks by one worker, which delivers them too, beside a loop of getFailed and job.retry of a bare BullMQ, 100 at once and without a worker. A rate of 500/s. Deliveries while bulk actions look at 200,000 waiting tasks, beside deliveries without them.', rounds: 3, run: benchBulk },
  { name: 'growth', measures: 'With 1,000,000 waiting tasks, beside an empty queue in the same rounds.', rounds: 7, run: benchGrowth },
  { name: 'long-run', measures: 'Memory of one worker and of the API after 1,000,000 tasks, beside what they held after a tenth of them.', rounds: 1, run: benchLongRun },
];

/** @throws for a name that there is not */
export function chooseBenchmarks(names: readonly string[]): readonly Benchmark[] {
  const unknown = names.filter((name) => !benchmarks.some((each) => each.name === name));
  if (unknown.length > 0) throw new Error(`no such benchmark: ${unknown.join(', ')}. There are: ${benchmarks.map(({ name }) => name).join(', ')}`);
  return names.length === 0 ? benchmarks : benchmarks.filter(({ name }) => names.includes(name));
}
