import { forgetFlows } from './http-url.js';
import { createPathMask, type PathMask } from './path-mask.js';

/**
 * The mask of a process that learns which hosts other processes hide: what one of them hides, all have to hide, or the API shows what a
 * worker keeps secret, and a pause of a hidden path does not reach a worker that knows the path by its open name.
 */
export class GrowingPathMask {
  /** The same function for life. What it hides follows `use`. */
  readonly mask: PathMask = (hostname, path) => this.#mask(hostname, path);
  #mask: PathMask;
  #inUse: string;

  /** @param own SECRET_PATH_HOSTS of this process, which are hidden whatever others do */
  constructor(private readonly own: readonly string[]) {
    this.#mask = createPathMask(own);
    this.#inUse = spelling(own);
  }

  /**
   * @param listed what the fleet hides, in the spelling of canonicalHostPattern
   * @returns true: other paths than before are hidden
   */
  use(listed: readonly string[]): boolean {
    const hosts = [...this.own, ...listed];
    const inUse = spelling(hosts);
    if (inUse === this.#inUse) return false;
    this.#inUse = inUse;
    this.#mask = createPathMask(hosts);
    forgetFlows();
    return true;
  }
}

function spelling(hosts: readonly string[]): string {
  return [...new Set(hosts)].sort().join(',');
}
