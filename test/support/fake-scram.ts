import { createHmac, pbkdf2Sync } from 'node:crypto';

export interface FakeScramOptions {
  /** Default `secret`. */
  readonly password?: string;
  /** Default 4,096. */
  readonly rounds?: number;
  /** Changes the answer to the client's first message. */
  readonly first?: (good: string) => string;
  /** Changes the answer to its second one. */
  readonly final?: (good: string) => string;
}

/** The broker's side of one login by SCRAM-SHA-256. It does not look at the client's proof. */
export class FakeScram {
  #bareFirst = '';
  #serverFirst = '';

  constructor(private readonly options: FakeScramOptions = {}) {}

  answer(message: string): string {
    const { first = same, final = same, rounds = 4_096, password = 'secret' } = this.options;
    if (message.startsWith('\0')) return '';
    const salt = Buffer.from('salt of the fake broker');
    if (message.startsWith('n,,')) {
      this.#bareFirst = message.slice(3);
      const nonce = /r=([^,]*)/.exec(message)?.[1] ?? '';
      this.#serverFirst = first(`r=${nonce}and-more,s=${salt.toString('base64')},i=${rounds}`);
      return this.#serverFirst;
    }
    const signed = [this.#bareFirst, this.#serverFirst, message.slice(0, message.indexOf(',p='))].join();
    const salted = pbkdf2Sync(password, salt, rounds, 32, 'sha256');
    const serverKey = createHmac('sha256', salted).update('Server Key').digest();
    return final(`v=${createHmac('sha256', serverKey).update(signed).digest('base64')}`);
  }
}

function same(text: string): string {
  return text;
}
