import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { parseAllDocuments } from 'yaml';

const root = path.resolve(import.meta.dirname, '../..');
export const chartDir = 'deploy/helm/kafka-retry';

/** What the tests read of a container. kubeconform has checked the shape; a field that is missing fails the test that reads it. */
export interface Container {
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly resources: { readonly requests: { readonly memory: string }; readonly limits: { readonly memory: string } };
  readonly securityContext: object;
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
  readonly periodSeconds: number;
  readonly failureThreshold: number;
}

interface Metadata {
  readonly name: string;
  readonly labels: Labels;
  readonly annotations: Labels;
}

export type Labels = Readonly<Record<string, string>>;

export interface Pod {
  readonly metadata: Metadata;
  readonly spec: {
    readonly containers: readonly [Container, ...Container[]];
    readonly volumes: readonly { readonly name: string; readonly secret?: { readonly items: readonly { readonly key: string; readonly path: string }[] } }[];
    readonly securityContext: { readonly runAsUser: number };
    readonly automountServiceAccountToken: boolean;
    readonly terminationGracePeriodSeconds: number;
    readonly topologySpreadConstraints: readonly { readonly topologyKey: string }[];
  };
}

interface Selector {
  readonly matchLabels: Labels;
}

/** By kind. */
export interface Manifests {
  readonly Deployment: { readonly metadata: Metadata; readonly spec: { readonly selector: Selector; readonly strategy: { readonly rollingUpdate: object }; readonly template: Pod } };
  readonly StatefulSet: { readonly metadata: Metadata; readonly spec: { readonly selector: Selector; readonly template: Pod; readonly volumeClaimTemplates: readonly [{ readonly spec: { readonly resources: { readonly requests: { readonly storage: string } } } }] } };
  readonly Pod: Pod;
  readonly Secret: object;
  readonly Service: { readonly metadata: Metadata; readonly spec: { readonly selector: Labels; readonly clusterIP: string; readonly ports: readonly { readonly name: string }[] } };
  readonly PodDisruptionBudget: { readonly spec: { readonly selector: Selector } };
  readonly NetworkPolicy: {
    readonly metadata: Metadata;
    readonly spec: { readonly podSelector: Selector; readonly ingress: readonly { readonly from: readonly object[] }[]; readonly egress: readonly { readonly ports?: readonly { readonly port: number }[]; readonly to?: readonly object[] }[] };
  };
  readonly ServiceMonitor: { readonly spec: { readonly selector: Selector; readonly endpoints: readonly { readonly port: string; readonly relabelings?: readonly object[] }[] } };
  readonly ScaledObject: { readonly spec: { readonly scaleTargetRef: { readonly name: string }; readonly triggers: readonly { readonly metadata: Labels }[] } };
  readonly PrometheusRule: { readonly spec: object };
  readonly ConfigMap: { readonly data: Labels };
}

/** The sets of values in examples/, by their names. */
export const examples: readonly string[] = readdirSync(path.join(root, chartDir, 'examples')).map((file) => file.replace(/\.yaml$/, ''));

interface RenderOptions {
  readonly example?: string;
  /** As `--set`. */
  readonly set?: readonly string[];
  /** As a file of values: YAML, whose numbers Helm reads as floats, and whose `on` is true. */
  readonly file?: string;
}

/** Runs helm. Missing is a failure, never a skip. @returns its output. @throws Error with all that it says when it fails */
export function helm(args: readonly string[], input?: string): string {
  return run('HELM_PATH', args, input);
}

/** @returns the text that helm makes of the chart, as an installation would send it */
export function renderText({ example, set = [], file }: RenderOptions = {}): string {
  const values = [...(example === undefined ? [] : ['--values', path.join(chartDir, 'examples', `${example}.yaml`)]), ...(file === undefined ? [] : ['--values', '-']), ...set.flatMap((each) => ['--set', each])];
  return helm(['template', 'kafka-retry', chartDir, '--namespace', 'retry', '--kube-version', '1.30.0', ...values], file);
}

/** What the chart makes, by kind. */
export class Rendered {
  readonly #manifests: readonly { readonly kind: string }[];

  constructor(options: RenderOptions = {}) {
    this.#manifests = parseAllDocuments(renderText(options)).map((document) => document.toJS() as { readonly kind: string } | null).filter((manifest) => manifest !== null);
  }

  of<K extends keyof Manifests>(kind: K): readonly Manifests[K][] {
    // What has a kind has its shape: see kubeconform below.
    return this.#manifests.filter((each) => each.kind === kind) as unknown as readonly Manifests[K][];
  }

  /** The only one of its kind, or of its kind and component. */
  one<K extends keyof Manifests>(kind: K, component?: string): Manifests[K] {
    const found = this.of(kind).filter((each) => component === undefined || ('metadata' in each && each.metadata.labels['app.kubernetes.io/component'] === component));
    const [first] = found;
    if (first === undefined || found.length > 1) throw new Error(`${found.length} of ${kind} ${component ?? ''}`);
    return first;
  }

  get pods(): readonly Pod[] {
    return [...this.of('Deployment').map(({ spec }) => spec.template), ...this.of('StatefulSet').map(({ spec }) => spec.template), ...this.of('Pod')];
  }

  container(component: 'api' | 'worker'): Container {
    return this.one('Deployment', component).spec.template.spec.containers[0];
  }
}

/** Fields that no such kind has, wrong types and missing ones are faults, and so is a kind without a schema. @returns the summary */
export function kubeconform(manifests: string, kubernetes: string): string {
  const schemas = process.env['KUBERNETES_SCHEMAS'] ?? '';
  return run('KUBECONFORM_PATH', [
    '-strict', '-summary', '-kubernetes-version', kubernetes,
    '-schema-location', path.join(schemas, `v${kubernetes}`, '{{.ResourceKind}}{{.KindSuffix}}.json'),
    '-schema-location', path.join(schemas, '{{.Group}}', '{{.ResourceKind}}_{{.ResourceAPIVersion}}.json'),
  ], manifests);
}

function run(variable: string, args: readonly string[], input?: string): string {
  const program = process.env[variable] ?? '';
  if (program === '') throw new Error(`This test needs ${variable}. Run \`npm test\`, which finds or builds it.`);
  try {
    return execFileSync(program, args, { cwd: root, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'], ...(input === undefined ? {} : { input }) });
  } catch (error) {
    const said = error instanceof Error && 'stdout' in error && 'stderr' in error ? `${String(error.stdout)}${String(error.stderr)}` : String(error);
    throw new Error(`${path.basename(program)} ${args.join(' ')} says:\n${said}`, { cause: error });
  }
}
