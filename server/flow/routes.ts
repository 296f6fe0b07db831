import { Router } from 'express';
import type { CircuitRules } from '../../shared/domain/flow/circuit.js';
import { hostOfName, type DefaultBrokers } from '../../shared/domain/flow/flow-key.js';
import { readReport } from '../../shared/domain/flow/flow-report.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { readJsonBody } from '../http/json-body.js';
import { parseLimit, parseName, parsePolicy } from './schema.js';
import { toWireDestinations, toWireDestination, TrafficByName } from './view.js';

/** Far more than four fields need. */
const MAX_BODY_BYTES = 65_536;

export interface DestinationRoutesDeps {
  readonly queue: Pick<TaskQueue, 'withFlow' | 'waitingListDepths'>;
  /** As the workers have them: they decide what an open circuit is. */
  readonly circuit: CircuitRules;
  readonly defaultBrokers: DefaultBrokers;
}

/** What is sent where, and what an operator allows. Workers take up a change within a second. */
export function destinationRoutes({ queue, circuit, defaultBrokers }: DestinationRoutesDeps): Router {
  const router = Router();
  const nameOf = (key: string): string => parseName(key, defaultBrokers);

  router.get('/', async (request, response) => {
    const limit = parseLimit(request.query['limit']);
    const [traffic, snapshot] = await Promise.all([readTraffic(queue), queue.withFlow((store) => store.snapshotOfAll())]);
    response.json(toWireDestinations(traffic, snapshot, circuit, limit));
  });

  const show = async (name: string): Promise<object> => {
    const traffic = await readTraffic(queue, name);
    const snapshot = await queue.withFlow((store) => store.snapshot([name, ...traffic.hostsOf(name)]));
    return toWireDestination(name, traffic, snapshot, circuit);
  };

  router.get('/:key', async (request, response) => {
    response.json(await show(nameOf(request.params.key)));
  });

  router.put('/:key', async (request, response) => {
    const name = nameOf(request.params.key);
    const policy = parsePolicy(await readJsonBody(request, MAX_BODY_BYTES));
    await queue.withFlow((store) => store.setPolicy(name, policy));
    response.json(await show(name));
  });

  // Of the following no body is read: Node takes it off the connection when the answer is sent.
  router.delete('/:key', async (request, response) => {
    const name = nameOf(request.params.key);
    await queue.withFlow((store) => store.setPolicy(name, undefined));
    response.json(await show(name));
  });

  router.post('/:key/pause', async (request, response) => {
    const name = nameOf(request.params.key);
    await queue.withFlow((store) => store.setPaused(name, true));
    response.json(await show(name));
  });

  router.post('/:key/resume', async (request, response) => {
    const name = nameOf(request.params.key);
    const hosts = (await readTraffic(queue, name)).hostsOf(name);
    await queue.withFlow(async (store) => {
      // "Send again now" is meant, so nothing is waited for. Should it still be down, its circuit opens again.
      for (const host of hosts.length === 0 ? [name] : hosts) await store.closeCircuit(host);
      await store.setPaused(name, false);
    });
    response.json(await show(name));
  });

  return router;
}

/** @param name whose deferred tasks are counted, however many destinations have some */
async function readTraffic(queue: DestinationRoutesDeps['queue'], name?: string): Promise<TrafficByName> {
  const named = name === undefined ? [] : [{ key: name, host: hostOfName(name) ?? name }];
  const [reports, depths] = await Promise.all([queue.withFlow((store) => store.reports()), queue.waitingListDepths(named)]);
  return new TrafficByName(reports.flatMap(({ report }) => (report === undefined ? [] : readReport(report))), depths);
}
