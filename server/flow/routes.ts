import { deadFlowOf, flowNamed, flowOfId } from '../../shared/domain/destinations/flow.js';
import { hiddenName } from '../../shared/domain/destinations/http.js';
import type { PathMask } from '../../shared/domain/destinations/path-mask.js';
import { hostOfName } from '../../shared/domain/flow/flow-key.js';
import { EVERYTHING, type FlowPolicy } from '../../shared/domain/flow/flow-policy.js';
import { readReport } from '../../shared/domain/flow/flow-report.js';
import type { SettingsInForce } from '../../shared/domain/flow/worker-facts.js';
import type { Logger } from '../../shared/logging/logger.js';
import type { FieldValues } from '../../shared/queue/audit/field-hashes.js';
import type { FlowStore, WorkerReport } from '../../shared/queue/flow/flow-store.js';
import type { TaskQueue } from '../../shared/queue/tasks/task-queue.js';
import { jsonAnswer, type Answer } from '../http/answer.js';
import { askedChange, MAX_CHANGE_BYTES, readAskedChange, readReasonBody, type AskedChange } from '../http/asked-change.js';
import { readJsonBody } from '../http/json-body.js';
import { performed, type ActionName } from '../http/operator-action.js';
import type { RequestContext } from '../http/request-context.js';
import type { Route } from '../http/route.js';
import { parseGroup, parseKey } from './destination-key.js';
import type { FleetSettings } from './fleet-settings.js';
import type { LastFlow, Shown } from './last-flow.js';
import { parseCursor } from './list-cursor.js';
import { orAway } from './or-away.js';
import { parseLimit } from '../http/list-limit.js';
import { parseLimits, parseUntil, untilHasPassed } from './schema.js';
import { circuitsOf, toWireChanged, toWireDestinations, toWireDestination, toWireMissing, TrafficByName } from './view.js';

/** How long an answer waits for the settings of the workers, ms: where they do not come, those of the last time count. */
const SETTINGS_LIMIT_MS = 150;

export interface FlowParts {
  readonly queue: Pick<TaskQueue, 'withAudit' | 'lasting' | 'fleet' | 'waitingListDepths' | 'failedDestinations'>;
  /** The settings that the workers have: they decide which cluster is the default one, and when a circuit is open. */
  readonly fleetSettings: Pick<FleetSettings, 'view' | 'lastKnown'>;
  readonly lastFlow: Pick<LastFlow, 'read' | 'asOfLast' | 'look'>;
  /** The paths in the names of endpoints are written with it. */
  readonly mask: PathMask;
  readonly logger: Logger;
}

/** Shows which destinations are sent to, and sets what an operator allows. Workers take up a change within a second. */
export const flowRoutes: readonly Route<FlowParts>[] = [
  {
    method: 'GET',
    path: '/destinations',
    role: 'read',
    body: 'none',
    query: ['limit', 'cursor', 'group'],
    operationId: 'listDestinations',
    metricLabel: '/destinations',
    handle: async ({ query }, { queue, fleetSettings, lastFlow, mask }) => {
      const limit = parseLimit(query.get('limit'));
      const { circuit, defaultBrokers } = await fleetSettings.lastKnown(SETTINGS_LIMIT_MS);
      const group = query.get('group');
      const inGroup = group === undefined ? undefined : parseGroup(group, { defaultBrokers, mask });
      const cursor = query.get('cursor');
      const after = cursor === undefined ? undefined : parseCursor(cursor, inGroup);
      const [traffic, snapshot, withFailedTasks] = await Promise.all([
        readTraffic({ queue, lastFlow, mask }),
        lastFlow.read((store) => store.snapshotOfAll(), (last) => last.snapshot),
        queue.failedDestinations(defaultBrokers),
      ]);
      return jsonAnswer(200, toWireDestinations(traffic.value, snapshot.value, circuit, { limit, group: inGroup, withFailedTasks: withFailedTasks.map((name) => hiddenName(name, mask)), after }, traffic.knownAt ?? snapshot.knownAt));
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
    handle: async (context, parts) => show(nameOf(context, parts, await parts.fleetSettings.lastKnown(SETTINGS_LIMIT_MS)), parts, toWireDestination),
  },
  {
    method: 'PUT',
    path: '/destinations/:key',
    role: 'operate',
    body: 'json',
    query: ['reason'],
    operationId: 'setDestination',
    metricLabel: '/destinations/:key',
    handle: async (context, parts) => {
      const name = await nameToChange(context, parts);
      const { limits, reason } = parseLimits(await readJsonBody(context, MAX_CHANGE_BYTES));
      return change(context, parts, { action: 'destination.limits', name, asked: askedChange(context, reason) }, (store) => store.setLimits(name, limits));
    },
  },
  {
    method: 'DELETE',
    path: '/destinations/:key',
    role: 'operate',
    body: 'none',
    query: ['reason'],
    operationId: 'freeDestination',
    metricLabel: '/destinations/:key',
    handle: async (context, parts) => {
      const asked = readAskedChange(context);
      const name = await nameToChange(context, parts);
      return change(context, parts, { action: 'destination.limits', name, asked }, (store) => store.setLimits(name, undefined));
    },
  },
  {
    method: 'POST',
    path: '/destinations/:key/pause',
    role: 'operate',
    body: 'reason',
    query: ['reason'],
    operationId: 'pauseDestination',
    metricLabel: '/destinations/:key/pause',
    handle: async (context, parts) => {
      const { asked, others } = await readReasonBody(context, ['until']);
      const name = await nameToChange(context, parts);
      const { now } = await parts.queue.fleet.withFlow((store) => store.snapshot([]));
      const until = parseUntil(others.until, now);
      return change(context, parts, { action: 'destination.pause', name, asked }, async (store) => {
        if (!(await store.pause(name, { until, ...asked }))) throw untilHasPassed();
      });
    },
  },
  {
    method: 'POST',
    path: '/destinations/:key/resume',
    role: 'operate',
    body: 'reason',
    query: ['reason'],
    operationId: 'resumeDestination',
    metricLabel: '/destinations/:key/resume',
    handle: async (context, parts) => {
      const { asked } = await readReasonBody(context);
      const name = await nameToChange(context, parts);
      // Those that were read last will not do: the circuits of newer hosts would stay open.
      const hosts = name === EVERYTHING ? [] : (await readTraffic(parts, name, reportsOfNow(parts))).value.hostsOf(name);
      return change(context, parts, { action: 'destination.resume', name, asked }, async (store) => {
        // The call asks to send again at once, so nothing is waited for. If the destination is still down, its circuit opens
        // again. `*` leaves the circuits alone: they say which destinations were down before everything was paused.
        const open = name === EVERYTHING ? [] : await circuitsToClose(store, name, hosts);
        await store.closeCircuits(open);
        await store.resume(name);
      });
    },
  },
];

/** The circuits that hold tasks of this name: its own wherever it goes, and those of the hosts; of a host also those of all its endpoints. */
async function circuitsToClose(store: FlowStore, name: string, hosts: readonly string[]): Promise<readonly string[]> {
  const { circuits } = await store.snapshotOfAll();
  const itsHosts = [...circuits.keys()].map(flowOfId).filter(({ key }) => key === name).map(({ host }) => host);
  const known = new Set(circuitsOf(name, [...new Set([...hosts, ...itsHosts])]));
  return [...circuits.keys()].filter((id) => known.has(id) || flowOfId(id).host === name);
}

/**
 * The name that a change is about, as the workers write it.
 * @throws RequestError redis_unavailable, redis_refused when their reports cannot be read: under another name no worker would heed the change
 */
async function nameToChange(context: RequestContext, parts: FlowParts): Promise<string> {
  return nameOf(context, parts, await parts.fleetSettings.view());
}

function nameOf(context: RequestContext, { mask }: FlowParts, { defaultBrokers }: Pick<SettingsInForce, 'defaultBrokers'>): string {
  return parseKey(context.param('key'), { defaultBrokers, mask });
}

interface FlowChange {
  readonly action: ActionName;
  readonly name: string;
  readonly asked: AskedChange;
}

/** Makes a change, and answers with the destination as it is then. */
async function change(context: RequestContext, parts: FlowParts, { action, name, asked }: FlowChange, work: (store: FlowStore) => Promise<void>): Promise<Answer> {
  await performed(context, parts, { action, target: { type: 'destination', id: name }, asked }, async () => {
    const before = await readFields(parts, name);
    await parts.queue.fleet.withFlow(work);
    return { result: name, fields: { before, after: await readFields(parts, name) } };
  });
  const [answer] = await Promise.all([show(name, parts, toWireChanged), orAway(parts.lastFlow.look())]);
  return answer;
}

/** What an operator has set for a name, by the names that the API has for it. */
async function readFields({ queue }: FlowParts, name: string): Promise<FieldValues> {
  const { policies } = await queue.fleet.withFlow((store) => store.snapshot([name]));
  const { maxConcurrency, ratePerSecond, burst, isPaused = false, pause }: FlowPolicy = policies.get(name) ?? {};
  return { max_concurrency: maxConcurrency, rate: ratePerSecond, burst, paused: isPaused ? (pause ?? {}) : undefined };
}

async function show(name: string, parts: FlowParts, toWire: typeof toWireDestination): Promise<Answer> {
  const { circuit } = await parts.fleetSettings.lastKnown(SETTINGS_LIMIT_MS);
  const { value: traffic, knownAt } = await readTraffic(parts, name);
  const names = [name, ...traffic.endpointsOf(name), ...traffic.hostsOf(name), ...circuitsOf(name, traffic.hostsOf(name)), EVERYTHING];
  // The circuits of a flow_key are at hosts that perhaps nothing tells of.
  const isFlowKey = name !== EVERYTHING && hostOfName(name) === undefined;
  // What has just not answered is not asked again: the answer has a second.
  const known = knownAt === undefined ? undefined : parts.lastFlow.asOfLast((last) => last.snapshot);
  const snapshot = known ?? await parts.lastFlow.read((store) => (isFlowKey ? store.snapshotOfAll() : store.snapshot(names)), (last) => last.snapshot);
  return jsonAnswer(200, { ...toWire(name, traffic, snapshot.value, circuit), ...toWireMissing(traffic.missing, knownAt ?? snapshot.knownAt) });
}

/**
 * @param name whose deferred tasks are counted, for all destinations together
 * @param read the reports; default: those that were read last will do
 */
async function readTraffic({ queue, lastFlow, mask }: Pick<FlowParts, 'queue' | 'lastFlow' | 'mask'>, name?: string, read = lastFlow.read((store) => store.reports(), (last) => last.reports)): Promise<Shown<TrafficByName>> {
  const flow = name === undefined ? undefined : flowNamed(name, hostOfName(name) ?? name);
  const named = flow === undefined ? [] : [flow, deadFlowOf(flow)];
  const [{ value: reports, knownAt }, { answers, shardsAway }] = await Promise.all([read, queue.waitingListDepths(named)]);
  // What was named before a path was hidden stays so for a while: in the reports of half a minute, and as long as its tasks wait.
  const samples = reports.flatMap(({ report }) => (report === undefined ? [] : readReport(report).samples.map((sample) => ({ ...sample, key: hiddenName(sample.key, mask) }))));
  const depths = answers.flatMap((answer) => answer.depths.map(({ flow: { key, host, endpoint, isDead }, ...depth }) => ({ ...depth, flow: flowNamed(hiddenName(key, mask), host, { endpoint: hiddenName(endpoint, mask), isDead }) })));
  return { value: new TrafficByName(samples, depths, { shardsAway, isDeferredExact: answers.every(({ isComplete }) => isComplete) }), knownAt };
}

/** @throws RequestError when they cannot be read */
async function reportsOfNow({ queue }: Pick<FlowParts, 'queue'>): Promise<Shown<readonly WorkerReport[]>> {
  return { value: await queue.fleet.withFlow((store) => store.reports()), knownAt: undefined };
}
