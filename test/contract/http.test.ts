import type { HttpDestination } from '../../shared/domain/destinations/http.js';
import { createHttpAdapter } from '../../workers/adapters/http/http-adapter.js';
import { createReceiver, type Behaviour, type Receiver } from '../support/receiver.js';
import { UNKNOWN_HOST } from '../support/unknown-host.js';
import { type AdapterHarness, describeAdapterContract, type Fault } from './adapter-suite.js';
import { freePort } from '../../scripts/servers/free-port.mjs';

const http = (url: string): HttpDestination => ({ type: 'http', url });

function createHttpHarness(): AdapterHarness<HttpDestination> {
  let receiver: Receiver;
  let paths = 0;

  const pathOf = (destination: HttpDestination): string => new URL(destination.url).pathname;
  const place = (behaviour?: Behaviour): HttpDestination => {
    paths += 1;
    const path = `/place-${paths}`;
    if (behaviour !== undefined) receiver.on(path, behaviour);
    return http(receiver.url(path));
  };
  const fault = (name: string, codes: Fault<HttpDestination>['codes'], behaviour: Behaviour): Fault<HttpDestination> => {
    return { name, codes, destination: () => Promise.resolve(place(behaviour)) };
  };

  return {
    createAdapter: () => createHttpAdapter(),
    async start() { receiver = await createReceiver(); },
    async stop() { await receiver.close(); },
    destination: () => Promise.resolve(place()),
    async arrivals(destination, count) {
      const requests = await receiver.waitForRequests(count, { path: pathOf(destination) });
      return requests.map(({ key, headers, body }) => ({ key, headers, bodyBytes: body }));
    },
    refusal: fault('the receiver answers 500', ['http_server_error'], { kind: 'answer', status: 500 }),
    nothingListening: {
      name: 'nothing listens there',
      codes: ['connection_refused'],
      destination: async () => http(`http://127.0.0.1:${await freePort()}/`),
    },
    silence: fault('the receiver never answers', ['timed_out'], { kind: 'hang' }),
    otherFaults: [
      fault('the connection is reset before the answer', ['connection_reset'], { kind: 'break', when: 'before_headers' }),
      fault('the connection is closed in mid status line', ['connection_reset'], { kind: 'raw', bytes: 'HTTP/1.1 20' }),
      fault('the connection is reset in mid body of a refusal', ['http_server_error'], { kind: 'break', when: 'in_body', status: 500 }),
      fault('the answer is no HTTP', ['response_invalid'], { kind: 'raw', bytes: '220 mail.example.com ESMTP\r\n' }),
      {
        name: 'the host name does not exist',
        codes: ['host_not_found'],
        destination: () => Promise.resolve(http(`http://${UNKNOWN_HOST}/`)),
      },
    ],
    largestBodyBytes: 1_048_576,
    tooLarge: 'takes any size',
    openConnections: () => receiver.openConnections,
  };
}

describeAdapterContract('http', createHttpHarness());
