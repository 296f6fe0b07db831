// `helm test`: this pod submits a task whose receiver is the pod itself, and waits until it has come. With
// DESTINATION_POLICY=public the service must refuse the private address of a pod: that is all that is tried then.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { isIPv6 } from 'node:net';

const { API_URL, POD_IP = '127.0.0.1', RECEIVER_PORT = '8099', KEY_FILE, DESTINATION_POLICY } = process.env;
const WITHIN_MS = 60_000;

const id = `helm-test-${Date.now()}`;
const message = JSON.stringify({ test: id });
const receiver = createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  response.writeHead(200).end();
  if (request.headers['x-retry-task-id'] === id) receiver.emit('arrived', Buffer.concat(parts).toString());
});
const arrived = once(receiver, 'arrived');
receiver.listen(Number(RECEIVER_PORT), isIPv6(POD_IP) ? '::' : '0.0.0.0');
await once(receiver, 'listening');

const host = isIPv6(POD_IP) ? `[${POD_IP}]` : POD_IP;
const { port } = receiver.address();
const destination = { url: `http://${host}:${port}/` };
const key = KEY_FILE ? readFileSync(KEY_FILE, 'utf8').trim() : undefined;
const answer = await fetch(`${API_URL}/tasks`, {
  method: 'POST',
  headers: { 'content-type': 'application/json', ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) },
  body: JSON.stringify({
    id, source: 'helm-test', client_id: 'helm-test', max_retries: 3, base_delay: 0.1, message_data: message,
    destination_type: 'http', destination, dead_destination_type: 'http', dead_destination: destination,
  }),
});
const answered = await answer.text();
console.log(`POST ${API_URL}/tasks: ${answer.status} ${answered}`);
if (answer.status !== 201) {
  // The url is right, so it is its address that DESTINATION_POLICY or DESTINATION_DENY refuses.
  if (answer.status !== 400 || !answered.includes('"destination.url"')) process.exit(1);
  const allow = `To have it delivered, config.DESTINATION_ALLOW has to name the network of the pods at this port, such as 10.244.0.0/16:${port}`;
  if (DESTINATION_POLICY !== 'public') {
    console.error(`the service refuses to send to the address of this pod, ${host}. ${allow}`);
    process.exit(1);
  }
  console.log(`nothing was delivered: DESTINATION_POLICY=public keeps tasks from the address of this pod, as it is to. The API answers, and takes the key. ${allow}`);
  process.exit(0);
}

const late = setTimeout(() => {
  console.error(`accepted, and not delivered to ${destination.url} within ${WITHIN_MS / 1_000} s: GET /tasks/${id} says why it waits`);
  process.exit(1);
}, WITHIN_MS);
const [body] = await arrived;
clearTimeout(late);
console.log(body === message ? `task ${id} was delivered, byte for byte` : `task ${id} was delivered with another message: ${body}`);
process.exit(body === message ? 0 : 1);
