import { connectBatchingProducer } from './kafka-batches.js';

/** kafkajs without any queue: so many messages, so many of them in flight. Arguments: broker, topic, messages, in flight, body. */
const [broker = '', topic = '', messages = 0, inFlight = 0, body = ''] = process.argv.slice(2);
const send = await connectBatchingProducer(broker, topic);

let sent = 0;
await Promise.all(
  Array.from({ length: Number(inFlight) }, async () => {
    while (sent < Number(messages)) {
      sent += 1;
      await send(`bench-${sent}|0`, body);
    }
  }),
);
process.exit(0);
