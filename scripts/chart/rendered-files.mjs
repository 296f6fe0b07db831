import { execFileSync } from 'node:child_process';
import path from 'node:path';

import { cloneDir } from '../install/clone-paths.mjs';

const CHART = 'deploy/helm/kafka-retry';
/** Plain YAML for readers, and for those who do not use Helm: which values, and what the file is. */
const FILES = [
  { file: 'deploy/kubernetes/trial.yaml', example: 'trial', what: 'A look at it: no keys, one Redis without a replica.' },
  { file: 'deploy/kubernetes/production.yaml', example: 'production-sentinel', what: 'Redis behind Sentinel with TLS, keys, an ingress, and Prometheus. The secrets that it names have to exist: see the values.' },
];

/**
 * @param {string} helm path of the program
 * @returns {ReadonlyMap<string, string>} text by file, from the root
 */
export function renderedFiles(helm) {
  return new Map(FILES.map(({ file, example, what }) => {
    const values = `${CHART}/examples/${example}.yaml`;
    const text = execFileSync(helm, ['template', 'kafka-retry', CHART, '--namespace', 'kafka-retry', '--kube-version', '1.30.0', '--values', values, '--skip-tests'], { cwd: path.resolve(cloneDir), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    // Helm manages nothing of it.
    const plain = text.replace(/^ +(app\.kubernetes\.io\/managed-by|helm\.sh\/chart): .*\n/gm, '');
    return [file, `# ${what}\n# Made by \`npm run chart:render\` from ${values}. Do not edit: change the chart and run it again.\n#   kubectl create namespace kafka-retry && kubectl -n kafka-retry apply -f ${file}\n${plain}`];
  }));
}
