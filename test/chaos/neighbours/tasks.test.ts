import type { Attacker } from './attack.js';
import { noNeighbourSuffers } from './no-neighbour-suffers.js';

const MIB = 1_048_576;
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';

/** A receiver that takes everything. */
async function goodPort(attack: Parameters<Attacker['start']>[0]): Promise<number> {
  return attack.listen((socket) => {
    // A message of 1 MiB comes in many pieces: the answer follows the silence behind the last one.
    let timer: NodeJS.Timeout | undefined;
    socket.on('data', () => {
      clearTimeout(timer);
      timer = setTimeout(() => socket.write(OK), 20);
    });
  });
}

const tasks: readonly Attacker[] = [
  {
    name: 'messages of 1,000,000 control characters',
    async start(attack) {
      const url = `http://127.0.0.1:${await goodPort(attack)}/`;
      const message = '\u0001'.repeat(MIB);
      attack.again(2, () => attack.submit(1, () => ({ destination: { url }, message_data: message })));
    },
  },
  {
    name: 'messages of 1 MiB that are sent again and again',
    async start(attack) {
      const port = await attack.listen((socket) => {
        socket.on('data', () => undefined);
        socket.once('data', () => socket.end('HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'));
      });
      await attack.submit(10, () => ({ destination: { url: `http://127.0.0.1:${port}/` }, message_data: '"'.repeat(MIB), max_retries: 100, base_delay: 0.001, max_delay: 0.001 }));
    },
  },
  {
    name: 'tasks with 1,000 Kafka headers, to a broker that is not there',
    async start(attack) {
      const headers = Object.fromEntries(Array.from({ length: 1_000 }, (_, nth) => [`header-${nth}`, 'v'.repeat(10)]));
      attack.every(200, () => attack.submit(50, () => ({ destination_type: 'kafka', destination: { host: '127.0.0.1', port: 9, topic: 't', headers }, max_retries: 10, base_delay: 0.01 })));
    },
  },
  {
    name: 'messages of 1 MiB to a broker that is not there',
    async start(attack) {
      await attack.submit(4, () => ({ destination_type: 'kafka', destination: { host: '127.0.0.1', port: 9, topic: 't' }, message_data: '\u0001'.repeat(MIB), max_retries: 100, base_delay: 0.01, max_delay: 0.01 }));
    },
  },
  {
    name: 'urls of 8,000 characters with as many parts',
    async start(attack) {
      const port = await goodPort(attack);
      attack.every(200, () => attack.submit(100, (nth) => ({ destination: { url: `http://u:p@127.0.0.1:${port}/${'%2f/'.repeat(1_900)}?${nth}` } })));
    },
  },
];

noNeighbourSuffers('19e', 'tasks', tasks);
