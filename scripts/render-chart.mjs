// `npm run chart:render`: deploy/kubernetes/*.yaml from the Helm chart.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import './install/node-version.mjs';

const { ensureChartTools } = await import('./install/chart-tools.mjs');
const { cloneDir } = await import('./install/clone-paths.mjs');
const { withSetupLock } = await import('./install/setup-lock.mjs');
const { reportFailure } = await import('./processes/setup-error.mjs');
const { renderedFiles } = await import('./chart/rendered-files.mjs');
try {
  const { helm } = await withSetupLock(() => ensureChartTools(), { of: 'chart-tools' });
  for (const [file, text] of renderedFiles(helm)) {
    mkdirSync(path.dirname(path.join(cloneDir, file)), { recursive: true });
    writeFileSync(path.join(cloneDir, file), text);
  }
} catch (error) {
  process.exit(reportFailure(error));
}
