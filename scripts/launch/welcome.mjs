/** examples/receiver.mjs listens there. */
const RECEIVER = 'http://127.0.0.1:9099';

/**
 * What `npm start` prints once everything answers.
 * @param {{baseUrl: string, redis: string, workers: number}} running
 */
export function welcomeText({ baseUrl, redis, workers }) {
  return `
The service is running.

  API         ${baseUrl}
  Operations  ${baseUrl}/admin
  Bull Board  ${baseUrl}/admin/queues
  Contract    ${baseUrl}/docs
  Redis       ${redis}
  Workers     ${workers}

Hand over a task (its destination is the receiver that \`node examples/receiver.mjs\` starts in another terminal):

${submitLine(baseUrl)}

Where it is now:   curl -sS ${baseUrl}/tasks/<id from the answer>
Stop everything:   Ctrl-C (what is in flight may finish; waiting tasks are kept for the next start)
`;
}

/**
 * One line for a POSIX shell; a new id each second, so that pasting it again is a new task.
 * @param {string} baseUrl
 */
function submitLine(baseUrl) {
  const task = {
    id: 'ID',
    source: 'readme',
    client_id: 'demo',
    destination_type: 'http',
    destination: { url: `${RECEIVER}/orders` },
    dead_destination: { url: `${RECEIVER}/dead` },
    max_retries: 5,
    base_delay: 1,
    message_data: 'hello',
  };
  const body = JSON.stringify(task).replace('"ID"', `"hello-'$(date +%s)'"`);
  return `curl -sS -X POST ${baseUrl}/tasks -H 'Content-Type: application/json' -d '${body}'`;
}
