import { Queue } from 'bullmq';

/** queue.addBulk without HTTP: the tasks are made here. Answers {tasks, batch, atOnce} with {perSecond}. */
const [redisPort = 0, prefix = ''] = process.argv.slice(2);
const queue = new Queue('bare', { connection: { host: '127.0.0.1', port: Number(redisPort) }, prefix });
await queue.waitUntilReady();
const MESSAGE = JSON.stringify({ order: 4711, text: 'x'.repeat(180) });

async function addAll(round: number, tasks: number, batch: number, atOnce: number): Promise<void> {
  let made = 0;
  const addInTurn = async (): Promise<void> => {
    while (made < tasks) {
      const from = made;
      made += batch;
      await queue.addBulk(
        Array.from({ length: batch }, (_, index) => {
          const id = `bench-${round}-${from + index}`;
          const url = 'http://127.0.0.1:9/hook';
          const data = { id, source: 'bench', client_id: 'bench', destination_type: 'http', destination: { url }, dead_destination: { url }, max_retries: 3, base_delay: 3600, message_data: MESSAGE };
          return { name: 'task', data, opts: { jobId: id, delay: 3_600_000 } };
        }),
      );
    }
  };
  await Promise.all(Array.from({ length: atOnce }, addInTurn));
}

process.on('message', (message) => {
  // batch.ts is the only sender.
  const { round, tasks, batch, atOnce } = message as { round: number; tasks: number; batch: number; atOnce: number };
  const startedMs = performance.now();
  void addAll(round, tasks, batch, atOnce).then(() => process.send?.({ perSecond: tasks / ((performance.now() - startedMs) / 1000) }));
});
process.send?.({ ready: true });
process.on('disconnect', () => process.exit(0));
