// Loaded into a process of the product by --import: tells what memory it holds when a benchmark asks.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');
process.on('message', (message) => {
  if (message !== 'memory') return;
  // What is only waiting to be collected is no growth.
  collectGarbage();
  const { rss, heapUsed } = process.memoryUsage();
  process.send?.({ memory: { rss, heapUsed } });
});
// The process ends as it would without us.
process.channel?.unref();
