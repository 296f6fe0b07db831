/** examples/receiver.mjs listens there. */
export const RECEIVER = { host: '127.0.0.1', port: 9099 };

/**
 * What `npm start` prints once everything answers.
 * @param {import('./launch.mjs').Running} running
 */
export function welcomeText({ baseUrl, redis, workers, needsKey, isReceiverForbidden }) {
  const header = needsKey ? ` -H "Authorization: Bearer $KAFKA_RETRY_KEY"` : '';
  return `
The service is running.

  API         ${baseUrl}
  Operations  ${baseUrl}/admin
  Bull Board  ${baseUrl}/admin/queues
  Contract    ${baseUrl}/docs
  Redis       ${redis}
  Workers     ${workers}

Hand over a task (its destination is the receiver that \`node examples/receiver.mjs\` starts in another terminal):

${submitLine(baseUrl, header)}
${notes({ needsKey, isReceiverForbidden })}
Where it is now:   curl -sS ${baseUrl}/tasks/<id from the answer>${header}
Stop everything:   Ctrl-C (what is in flight may finish; waiting tasks are kept for the next start)
`;
}

/**
 * What has to be done before the line above can be pasted.
 * @param {Pick<import('./launch.mjs').Running, 'needsKey' | 'isReceiverForbidden'>} running
 */
function notes({ needsKey, isReceiverForbidden }) {
  const lines = [
    ...(needsKey ? ['AUTH is on. Before you paste it:  export KAFKA_RETRY_KEY=krs_...   (the value of BOOTSTRAP_API_KEY, or a key of POST /keys)'] : []),
    ...(isReceiverForbidden ? [`DESTINATION_POLICY forbids ${RECEIVER.host}:${RECEIVER.port} here. To try it, start with DESTINATION_ALLOW=${RECEIVER.host}:${RECEIVER.port}, or name a receiver of yours.`] : []),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/**
 * One line for a POSIX shell; a new id each second, so that pasting it again is a new task.
 * @param {string} baseUrl
 * @param {string} header an option of curl, or nothing
 */
function submitLine(baseUrl, header) {
  const receiver = `http://${RECEIVER.host}:${RECEIVER.port}`;
  const task = {
    id: 'ID',
    source: 'readme',
    client_id: 'demo',
    destination_type: 'http',
    destination: { url: `${receiver}/orders` },
    dead_destination: { url: `${receiver}/dead` },
    max_retries: 5,
    base_delay: 1,
    message_data: 'hello',
  };
  const body = JSON.stringify(task).replace('"ID"', `"hello-'$(date +%s)'"`);
  return `curl -sS -X POST ${baseUrl}/tasks -H 'Content-Type: application/json'${header} -d '${body}'`;
}
