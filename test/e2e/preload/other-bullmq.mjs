// Makes a process find a BullMQ whose script `promote` takes one key more, as a new version might.
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(path.resolve('package.json'));
require('bullmq/dist/cjs/scripts/index.js').promote.keys += 1;
