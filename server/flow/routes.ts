import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import { deadFlowOf, flowNamed } from '../../shared/domain/destinations/flow.js';
import { hostOfName } from '../../shared/domain/flow/flow-key.js';
import { readReport } from '../../shared/domain/flow/flow-report.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { jsonAnswer, type Answer } from '../http/answer.js';
import { readJsonBody } from '../http/json-body.js';
import { checkNoBody, checkReasonBody } from '../http/reason-body.js';
import type { RequestContext } from '../http/request-context.js';
import type { Route } from '../http/route.js';
import type { FleetSettings } from './fleet-settings.js';
import { parseLimit, parseName, parsePolicy } from './schema.js';
import { toWireDestinations, toWireDestination, TrafficByName } from './view.js';

/** This is far more than four fields need. */
const MAX_BODY_BYTES = 65_536;

export interface FlowParts {
  readonly queue: Pick<TaskQueue, 'withFlow' | 'waitingListDepths'>;
  /** The settings that the workers have: they decide which cluster is the default one, and when a circuit is open. */
  readonly fleetSettings: Pick<FleetSettings, 'view'>;
  /** The paths in the names of endpoints are written with it. */
  readonly mask: PathMask;
}

/** Shows which destinations are sent to, and sets what an operator allows. Workers take up a change within a second. */
export const flowRoutes: readonly Route<FlowParts>[] = [
  {
    method: 'GET',
    path: '/destinations',
    role: 'read',
    body: 'none',
    query: ['limit'],
    operationId: 'listDestinations',
    metricLabel: '/destinations',
    handle: async ({ query }, { queue, fleetSettings }) => {
      const limit = parseLimit(query.get('limit'));
      const { circuit } = await fleetSettings.view();
      const [traffic, snapshot] = await Promise.all([readTraffic(queue), queue.withFlow((store) => store.snapshotOfAll())]);
      return jsonAnswer(200, toWireDestinations(traffic, snapshot, circuit, limit));
    },
  },
  {
    method: 'GET',
    path: '/destinations/:key',
    role: 'read',
    body: 'none',
    query: [],
    operationId: 'readDestination',
    metricLabel: '/destinations/:key',
    handle: async (context, parts) => show(await nameIn(context, parts), parts),
  },
  {
    method: 'PUT',
    path: '/destinations/:key',
    role: 'operate',
    body: 'json',
    query: [],
    operationId: 'setDestination',
    metricLabel: '/destinations/:key',
    handle: async (context, parts) => {
      const name = await nameIn(context, parts);
      const policy = parsePolicy(await readJsonBody(context.request, MAX_BODY_BYTES));
      await parts.queue.withFlow((store) => store.setPolicy(name, policy));
      return show(name, parts);
    },
  },
  {
    method: 'DELETE',
    path: '/destinations/:key',
    role: 'operate',
    body: 'none',
    query: [],
    operationId: 'freeDestination',
    metricLabel: '/destinations/:key',
    handle: async (context, parts) => {
      checkNoBody(context.request);
      const name = await nameIn(context, parts);
      await parts.queue.withFlow((store) => store.setPolicy(name, undefined));
      return show(name, parts);
    },
  },
  {
    method: 'POST',
    path: '/destinations/:key/pause',
    role: 'operate',
    body: 'reason',
    query: [],
    operationId: 'pauseDestination',
    metricLabel: '/destinations/:key/pause',
    handle: async (context, parts) => {
      await checkReasonBody(context.request);
      const name = await nameIn(context, parts);
      await parts.queue.withFlow((store) => store.setPaused(name, true));
      return show(name, parts);
    },
  },
  {
    method: 'POST',
    path: '/destinations/:key/resume',
    role: 'operate',
    body: 'reason',
    query: [],
    operationId: 'resumeDestination',
    metricLabel: '/destinations/:key/resume',
    handle: async (context, parts) => {
      await checkReasonBody(context.request);
      const name = await nameIn(context, parts);
      const hosts = (await readTraffic(parts.queue, name)).hostsOf(name);
      await parts.queue.withFlow(async (store) => {
        // The call asks to send again at once, so nothing is waited for. If the destination is still down, its circuit
        // opens again.
        for (const host of hosts.length === 0 ? [name] : hosts) await store.closeCircuit(host);
        await store.setPaused(name, false);
      });
      return show(name, parts);
    },
  },
];

async function nameIn(context: RequestContext, { fleetSettings, mask }: FlowParts): Promise<string> {
  const { defaultBrokers } = await fleetSettings.view();
  return parseName(context.param('key'), defaultBrokers, mask);
}

async function show(name: string, { queue, fleetSettings }: FlowParts): Promise<Answer> {
  const { circuit } = await fleetSettings.view();
  const traffic = await readTraffic(queue, name);
  const snapshot = await queue.withFlow((store) => store.snapshot([name, ...traffic.hostsOf(name)]));
  return jsonAnswer(200, toWireDestination(name, traffic, snapshot, circuit));
}

/** @param name whose deferred tasks are counted, for all destinations together */
async function readTraffic(queue: FlowParts['queue'], name?: string): Promise<TrafficByName> {
  const flow = name === undefined ? undefined : flowNamed(name, hostOfName(name) ?? name);
  const named = flow === undefined ? [] : [flow, deadFlowOf(flow)];
  const [reports, depths] = await Promise.all([queue.withFlow((store) => store.reports()), queue.waitingListDepths(named)]);
  return new TrafficByName(reports.flatMap(({ report }) => (report === undefined ? [] : readReport(report).samples)), depths);
}
