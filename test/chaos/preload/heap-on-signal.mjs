// Loaded into a worker by NODE_OPTIONS: says how much of its heap is in use, garbage collected, when a test asks.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

// NODE_OPTIONS does not take --expose-gc.
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

let asked = 0;
process.on('SIGUSR2', () => {
  collect();
  asked += 1;
  process.stdout.write(`heap after garbage collection ${asked}: ${process.memoryUsage().heapUsed} bytes\n`);
});
