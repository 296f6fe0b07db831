import { readdirSync } from 'node:fs';
import path from 'node:path';

import { expect } from 'chai';

import { eventOf, logEvents, type LogEventRow } from '../../../shared/logging/log-events.js';
import { readText } from './repository-file.js';

const root = path.resolve(import.meta.dirname, '../../..');
const sources = ['server', 'shared', 'workers'].flatMap((room) =>
  readdirSync(path.join(root, room), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.startsWith('admin-page') && !file.endsWith('log-events.ts'))
    .map((file) => readText(path.join(room, file))),
);
/** The message of each call of a logger that is a plain text. */
const written = sources.flatMap((text) => [...text.matchAll(/\b(?:logger|Logger)\??\.(?:error|warn|info|debug)\(\s*'((?:[^'\\]|\\.)*)'/g)].map(([, message = '']) => message.replaceAll("\\'", "'")));
/** Events that a caller names itself. */
const named = sources.flatMap((text) => [...text.matchAll(/\{ event: '([a-z_]+)' \}/g)].map(([, event = '']) => event));
const rows: readonly (readonly [string, LogEventRow])[] = Object.entries(logEvents);

describe('The events of the log', () => {
  it('have a row for every message that is logged', () => {
    expect(written.length).to.be.above(40);
    expect(written.filter((message) => eventOf(message) === 'other')).to.deep.equal([]);
    expect(named.filter((event) => !Object.hasOwn(logEvents, event))).to.deep.equal([]);
  });

  it('are all written somewhere', () => {
    const all = sources.join('\n').replaceAll("\\'", "'");
    const gone = rows.filter(([event, { message }]) => (message === '' ? !named.includes(event) : !message.split('*').every((part) => all.includes(part))));
    expect(gone.map(([event]) => event)).to.deep.equal([]);
  });

  it('have names of one spelling, and messages that tell them apart', () => {
    for (const [event, { message }] of rows) {
      expect(event).to.match(/^[a-z]+(_[a-z]+)*$/);
      if (message !== '') expect(eventOf(message.replaceAll('*', ' 7 ').trimStart())).to.equal(event);
    }
  });

  it('are found by messages with numbers in them', () => {
    expect(eventOf('Redis has hz 10: tasks can be up to 100 ms late. Set hz 100.')).to.equal('redis_hz_low');
    expect(eventOf('20 workers x 1000 deliveries in flight is more than 2000: finishing a task gets slower')).to.equal('fleet_too_large');
    expect(eventOf('stopping, 12 sends in flight, up to 10 s')).to.equal('stopping');
    expect(eventOf('redis refuses: deliveries pause until it takes writes again')).to.equal('deliveries_paused');
    expect(eventOf('something new')).to.equal('other');
  });
});
