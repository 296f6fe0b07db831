import { isSameAddress, rangeOf } from './address-range.js';

/** Nodes that are remembered. A cluster of Redis has at most 1,000. */
const MOST_NODES = 2_000;

interface Node {
  readonly address: string;
  readonly port: number;
  /** It runs on this machine, so that every loopback address leads to it. */
  isLocal: boolean;
}

/** The nodes of a service by address and port, to tell whether an address leads to one of them. */
export class KnownNodes {
  readonly #nodes = new Map<string, Node>();
  readonly #ports = new Set<number>();

  /** @param ownAddresses those of this machine, as far as it tells them. To ask for them takes the time of some system calls */
  constructor(private readonly ownAddresses: () => readonly string[]) {}

  remember(address: string, port: number): void {
    const name = `${address} ${port}`;
    if (this.#nodes.has(name) || this.#nodes.size >= MOST_NODES) return;
    this.#nodes.set(name, { address, port, isLocal: this.#isOfThisMachine(address) });
    this.#ports.add(port);
  }

  has(address: string, port: number): boolean {
    if (!this.#ports.has(port)) return false;
    for (const node of this.#nodes.values()) {
      if (node.port === port && (isSameAddress(node.address, address) || (node.isLocal && rangeOf(address) === 'loopback'))) return true;
    }
    return false;
  }

  #isOfThisMachine(address: string): boolean {
    return rangeOf(address) === 'loopback' || this.ownAddresses().some((own) => isSameAddress(own, address));
  }
}
