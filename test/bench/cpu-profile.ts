/** What `node --cpu-prof` writes, as far as it is read here. */
export interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number } }[];
  /** Node ids, one per sample, and the time since the sample before, microseconds. */
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Time spent in a function itself, not in what it calls. */
export interface SelfTime {
  readonly name: string;
  readonly ms: number;
  /** Of the time the process was not idle, 0..1. */
  readonly share: number;
}

export interface CpuSummary {
  readonly busyMs: number;
  readonly idleMs: number;
  /** Descending. */
  readonly packages: readonly SelfTime[];
  readonly functions: readonly SelfTime[];
}

/** @param functions how many of the most expensive functions are kept */
export function summarizeCpu({ nodes, samples, timeDeltas }: CpuProfile, functions: number): CpuSummary {
  const usByNode = new Map<number, number>();
  samples.forEach((id, index) => usByNode.set(id, (usByNode.get(id) ?? 0) + (timeDeltas[index] ?? 0)));
  const byPackage = new Map<string, number>();
  const byFunction = new Map<string, number>();
  let idleUs = 0;
  let busyUs = 0;
  for (const { id, callFrame } of nodes) {
    const us = usByNode.get(id) ?? 0;
    if (callFrame.functionName === '(idle)') {
      idleUs += us;
      continue;
    }
    busyUs += us;
    const packageName = packageOf(callFrame);
    const functionName = `${callFrame.functionName === '' ? '(anonymous)' : callFrame.functionName} - ${placeOf(callFrame, packageName)}`;
    byPackage.set(packageName, (byPackage.get(packageName) ?? 0) + us);
    byFunction.set(functionName, (byFunction.get(functionName) ?? 0) + us);
  }
  const ranked = (times: ReadonlyMap<string, number>): SelfTime[] =>
    [...times].map(([name, us]) => ({ name, ms: us / 1_000, share: us / busyUs })).sort((a, b) => b.ms - a.ms);
  return { busyMs: busyUs / 1_000, idleMs: idleUs / 1_000, packages: ranked(byPackage), functions: ranked(byFunction).slice(0, functions) };
}

type CallFrame = CpuProfile['nodes'][number]['callFrame'];

/** `bullmq`, `@scope/name`, `service` for our own code, `node` for Node's, `(garbage collector)` and the like as V8 names them. */
function packageOf({ functionName, url }: CallFrame): string {
  // The last one: a package may bring packages of its own.
  const inModules = /^.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1];
  if (inModules !== undefined) return inModules;
  if (url.startsWith('node:')) return 'node';
  if (url.includes('/dist/')) return 'service';
  // V8's own entries and native functions, such as (garbage collector), (program), writev.
  return functionName.startsWith('(') ? functionName : 'native';
}

function placeOf({ url, lineNumber }: CallFrame, packageName: string): string {
  if (url === '') return packageName;
  const inService = /\/dist\/(.*)$/.exec(url)?.[1];
  const file = packageName === 'service' && inService !== undefined ? inService : (url.split('/').at(-1) ?? url);
  return `${packageName === 'service' ? '' : `${packageName} `}${file}:${lineNumber + 1}`;
}
