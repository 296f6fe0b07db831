import { Router } from 'express';
import type { CircuitRules } from '../../shared/domain/flow/circuit.js';
import { groupOfName, type DefaultBrokers } from '../../shared/domain/flow/flow-key.js';
import { readReport } from '../../shared/domain/flow/flow-report.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { readJsonBody } from '../http/json-body.js';
import { parseLimit, parseName, parsePolicy } from './schema.js';
import { printDestinations, printOne, TrafficByName } from './view.js';

/** Far more than four fields need. */
const MAX_BODY_BYTES = 65_536;

export interface DestinationRoutesDeps {
  readonly queue: Pick<TaskQueue, 'withFlow' | 'laneDepths'>;
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
    const [traffic, standing] = await Promise.all([readTraffic(queue), queue.withFlow((store) => store.standingOfAll())]);
    response.json(printDestinations(traffic, standing, circuit, limit));
  });

  const show = async (name: string): Promise<object> => {
    const traffic = await readTraffic(queue, name);
    const standing = await queue.withFlow((store) => store.standing([name, ...traffic.groupsOf(name)]));
    return printOne(name, traffic, standing, circuit);
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
    const groups = (await readTraffic(queue, name)).groupsOf(name);
    await queue.withFlow(async (store) => {
      // "Send again now" is meant, so nothing is waited for. Should it still be down, its circuit opens again.
      for (const group of groups.length === 0 ? [name] : groups) await store.closeCircuit(group);
      await store.setPaused(name, false);
    });
    response.json(await show(name));
  });

  return router;
}

/** @param name whose deferred tasks are counted, however many destinations have some */
async function readTraffic(queue: DestinationRoutesDeps['queue'], name?: string): Promise<TrafficByName> {
  const named = name === undefined ? [] : [{ key: name, group: groupOfName(name) ?? name }];
  const [reports, depths] = await Promise.all([queue.withFlow((store) => store.reports()), queue.laneDepths(named)]);
  return new TrafficByName(reports.flatMap(({ report }) => (report === undefined ? [] : readReport(report))), depths);
}
