// Imported before anything else and written for old versions too: a person with the wrong Node
// should read a sentence, not a syntax error. package.json is the only place that names the version.
import { readFileSync } from 'node:fs';

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
const wanted = manifest.engines.node.replace(/[^\d.]/g, '').split('.').map(Number);
const found = process.versions.node.split('.').map(Number);

const isTooOld = found[0] !== wanted[0] ? found[0] < wanted[0] : found[1] < wanted[1];
if (isTooOld) {
  console.error(
    'This needs Node ' + manifest.engines.node + '; you are running ' + process.versions.node + ' (' + process.execPath + ').\n' +
      'Install a current version, or switch to one you already have, then start again.',
  );
  process.exit(1);
}
