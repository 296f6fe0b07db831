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

  /** @param localAddress this end of a connection to it: one from an address to itself stays on this machine */
  remember(address: string, port: number, localAddress?: string): void {
    const name = `${address} ${port}`;
    const known = this.#nodes.get(name);
    // This machine does not name all of its addresses: none in some sandboxes, and none of an interface without a carrier.
    if (known !== undefined) known.isLocal ||= address === localAddress;
    else if (this.#nodes.size < MOST_NODES) {
      const isLocal = address === localAddress || rangeOf(address) === 'loopback' || isOneOf(this.ownAddresses(), address);
      this.#nodes.set(name, { address, port, isLocal });
      this.#ports.add(port);
    }
  }

  /** Finds the nodes whose address this machine has been given, or names, since they were remembered. */
  lookForOwn(): void {
    const own = this.ownAddresses();
    for (const node of this.#nodes.values()) node.isLocal ||= isOneOf(own, node.address);
  }

  has(address: string, port: number): boolean {
    if (!this.#ports.has(port)) return false;
    for (const node of this.#nodes.values()) {
      if (node.port === port && (isSameAddress(node.address, address) || (node.isLocal && rangeOf(address) === 'loopback'))) return true;
    }
    return false;
  }
}

function isOneOf(addresses: readonly string[], address: string): boolean {
  return addresses.some((each) => isSameAddress(each, address));
}
