import type { ChangedDestination, Destination, TestSend } from '../../answers.js';
import type { Command, CommandContext } from '../command.js';
import { circuitInShort } from '../circuit-in-short.js';
import { EXIT, UsageError, type ExitCode } from '../exit-codes.js';
import { isSet, numberOf, oneOf, textOf } from '../option-values.js';

/** Verbs about where tasks go. */
export const destinationCommands: readonly Command[] = [
  {
    name: 'destinations',
    usage: '[<key>]',
    help: 'what is sent where, the busiest first; or one destination',
    options: { group: { type: 'string', value: '<key>', help: 'what is in this host or cluster' }, limit: { type: 'string', value: '<n>', help: 'at most so many' } },
    words: [0, 1],
    run: async ({ client, output, say, words: [key], values, signal }) => {
      if (key !== undefined) {
        if (values['group'] !== undefined || values['limit'] !== undefined) throw new UsageError('--group and --limit are for the list: leave them out, or the key');
        await output.object(await client.destination(key, { signal }));
        return EXIT.done;
      }
      const areComplete: boolean[] = [];
      const found = client.destinations({ onPage: ({ isComplete }) => void areComplete.push(isComplete), group: textOf(values, 'group'), limit: numberOf(values, 'limit', { least: 1, isWhole: true }), signal });
      if (output.form === 'table') await output.list(inShort(found), ['key', 'circuit', 'paused', 'deferred', 'failed', 'delivered', 'in_flight', 'limits', 'kind', 'reason']);
      else await output.list(found, ['key']);
      const isComplete = !areComplete.includes(false);
      if (!isComplete) say('this is not complete: a part of Redis does not answer, and tasks that wait there are not counted');
      return isComplete ? EXIT.done : EXIT.refused;
    },
  },
  {
    name: 'pause',
    usage: '<key>',
    help: 'sends nothing there; the key * is everything',
    options: { until: { type: 'string', value: '<time>', help: 'when it is over by itself: +30m, or a time' } },
    words: [1, 1],
    isChange: true,
    run: async (context) => {
      const { client, words: [key = ''], values, signal } = context;
      return changed(context, await client.pause(key, { until: textOf(values, 'until'), reason: textOf(values, 'reason'), signal }));
    },
  },
  {
    name: 'resume',
    usage: '<key>',
    help: 'sends there again, and closes its open circuit',
    options: {},
    words: [1, 1],
    isChange: true,
    run: async (context) => {
      const { client, words: [key = ''], values, signal } = context;
      return changed(context, await client.resume(key, { reason: textOf(values, 'reason'), signal }));
    },
  },
  {
    name: 'limits',
    usage: '<key> [options]',
    help: 'replaces the limits of a destination',
    options: {
      rate: { type: 'string', value: '<n>', help: 'starts of sends a second, all workers together' },
      burst: { type: 'string', value: '<n>', help: 'sends that may start at once after a lull' },
      'max-concurrency': { type: 'string', value: '<n>', help: 'sends in flight, all workers together' },
      remove: { type: 'boolean', help: 'no limits any more' },
    },
    words: [1, 1],
    isChange: true,
    run: async (context) => {
      const { client, words: [key = ''], values, signal } = context;
      const rate = numberOf(values, 'rate', { least: 0.001, most: 1_000_000 });
      const burst = numberOf(values, 'burst', { least: 1, most: 100_000, isWhole: true });
      const concurrency = numberOf(values, 'max-concurrency', { least: 1, most: 100_000, isWhole: true });
      const limits = { ...(rate === undefined ? {} : { rate }), ...(burst === undefined ? {} : { burst }), ...(concurrency === undefined ? {} : { max_concurrency: concurrency }) };
      if ((Object.keys(limits).length === 0) !== isSet(values, 'remove')) throw new UsageError('say limits (--rate, --burst, --max-concurrency), or --remove');
      return changed(context, await client.setLimits(key, limits, { reason: textOf(values, 'reason'), signal }));
    },
  },
  {
    name: 'test-send',
    usage: '<url> | kafka://<host:port | default>/<topic>',
    help: 'sends one message now, past pauses and limits, and shows what the receiver says',
    options: { message: { type: 'string', value: '<text>', help: 'what is sent; default {"test":true}' }, method: { type: 'string', value: '<method>', help: 'of an HTTP destination; default POST', words: ['POST', 'PUT', 'PATCH'] } },
    words: [1, 1],
    isChange: true,
    run: async ({ client, output, words: [place = ''], values, signal }) => {
      const message = textOf(values, 'message');
      const attempt = await client.testSend({ ...destinationOf(place, oneOf(values, 'method', ['POST', 'PUT', 'PATCH'])), ...(message === undefined ? {} : { message_data: message }) }, { reason: textOf(values, 'reason'), signal });
      await output.object(attempt);
      return attempt.outcome === 'delivered' ? EXIT.done : EXIT.refused;
    },
  },
];

/** The hint is said as well: it may be one line of twenty, and it says that another name was meant. */
async function changed({ output, say }: CommandContext, destination: ChangedDestination): Promise<ExitCode> {
  await output.object(destination);
  if (typeof destination.hint === 'string') say(destination.hint);
  return EXIT.done;
}

/** `kafka://default/orders` is the topic of the default cluster. */
function destinationOf(place: string, method: 'POST' | 'PUT' | 'PATCH' | undefined): TestSend {
  const kafka = /^kafka:\/\/(?:default|(?<host>.+):(?<port>\d{1,5}))\/(?<topic>[^/]+)$/.exec(place)?.groups;
  if (kafka === undefined) return { destination_type: 'http', destination: { url: place, ...(method === undefined ? {} : { method }) } };
  if (method !== undefined) throw new UsageError('--method is for HTTP destinations');
  const { host, port, topic = '' } = kafka;
  return { destination_type: 'kafka', destination: { topic, ...(host === undefined ? {} : { host, port: Number(port) }) } };
}

/** As a table shows them: the whole circuit and pause stand in `destinations <key>`. */
async function* inShort(destinations: AsyncIterable<Destination>): AsyncGenerator<object & Record<'key' | 'kind' | 'in_flight' | 'deferred' | 'delivered' | 'failed' | 'circuit' | 'limits' | 'paused' | 'reason', unknown>, void, undefined> {
  for await (const destination of destinations) {
    const { circuit, paused } = destination;
    yield { ...destination, circuit: circuitInShort(circuit), paused: paused === null ? null : { by: paused.by?.operator ?? paused.by?.name ?? 'somebody', until: paused.until }, reason: paused?.reason ?? null };
  }
}
