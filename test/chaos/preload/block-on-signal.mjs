// Loaded into a worker by NODE_OPTIONS: its event loop stands still from the moment a test wants it until the file
// UNBLOCK_FILE exists.
import { existsSync, writeSync } from 'node:fs';

const neverWoken = new Int32Array(new SharedArrayBuffer(4));

process.on('SIGUSR2', () => {
  writeSync(1, 'the event loop stands still\n');
  while (!existsSync(process.env.UNBLOCK_FILE)) Atomics.wait(neverWoken, 0, 0, 10);
});
