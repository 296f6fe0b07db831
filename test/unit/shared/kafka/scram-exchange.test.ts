import { expect } from 'chai';
import fc from 'fast-check';

import { LoginRefused, NoKafkaBroker, ServerNotProven } from '../../../../shared/kafka/no-kafka-broker.js';
import { ScramExchange } from '../../../../shared/kafka/scram-exchange.js';

/** The example of RFC 7677, 3. */
const rfc = {
  login: { username: 'user', password: 'pencil' },
  nonce: 'rOprNGfwEbeRWgbNEkqO',
  first: 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
  serverFirst: 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
  final: 'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  serverFinal: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
};

const start = (): ScramExchange => new ScramExchange('scram-sha-256', rfc.login, rfc.nonce);

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('ScramExchange', () => {
  it('logs in as in the example of the RFC', async () => {
    const exchange = start();
    expect(exchange.first()).to.equal(rfc.first);
    expect(await exchange.final(rfc.serverFirst)).to.equal(rfc.final);
    exchange.verify(rfc.serverFinal);
  });

  it('writes = and , of a user name as the RFC says', () => {
    expect(new ScramExchange('scram-sha-512', { username: 'a=b,c', password: '' }, 'n').first()).to.equal('n,,n=a=3Db=2Cc,r=n');
  });

  it('takes extensions behind the attributes, which it does not know', async () => {
    const exchange = start();
    expect(await failureOf(exchange.final(`${rfc.serverFirst},x=y`))).to.equal(undefined);
  });

  const nonce = 'r=rOprNGfwEbeRWgbNEkqOmore';
  const broken: readonly (readonly [why: string, message: string])[] = [
    ['nothing', ''],
    ['no attributes', 'hello'],
    ['a part that is none', `${nonce},s=QQ==,i=4096,`],
    ['an extension that is asked for', `m=x,${nonce},s=QQ==,i=4096`],
    ['another nonce', 'r=other,s=QQ==,i=4096'],
    ['our nonce alone', `r=${rfc.nonce},s=QQ==,i=4096`],
    ['a nonce of other characters', `${nonce}\u0001,s=QQ==,i=4096`],
    ['no nonce', 's=QQ==,i=4096'],
    ['no salt', `${nonce},i=4096`],
    ['an empty salt', `${nonce},s=,i=4096`],
    ['a salt that is no base64', `${nonce},s=!!!!,i=4096`],
    ['a salt that is cut', `${nonce},s=QQ=,i=4096`],
    ['no rounds', `${nonce},s=QQ==`],
    ['no number of rounds', `${nonce},s=QQ==,i=`],
    ['a word for the rounds', `${nonce},s=QQ==,i=many`],
    ['0 rounds', `${nonce},s=QQ==,i=0`],
    ['1 round', `${nonce},s=QQ==,i=1`],
    ['4095 rounds', `${nonce},s=QQ==,i=4095`],
    ['200001 rounds', `${nonce},s=QQ==,i=200001`],
    ['2^31 rounds', `${nonce},s=QQ==,i=2147483648`],
    ['rounds of a thousand digits', `${nonce},s=QQ==,i=${'9'.repeat(1_000)}`],
    ['a negative number of rounds', `${nonce},s=QQ==,i=-4096`],
    ['rounds with a sign', `${nonce},s=QQ==,i=+4096`],
    ['rounds with a space', `${nonce},s=QQ==,i= 4096`],
    ['rounds as a power', `${nonce},s=QQ==,i=1e9`],
    ['rounds with a zero before', `${nonce},s=QQ==,i=04096`],
    ['the parts in another order', `s=QQ==,${nonce},i=4096`],
  ];
  for (const [why, message] of broken) {
    it(`takes a first message with ${why} for a fault of the other side, at once`, async () => {
      const startedAt = performance.now();
      expect(await failureOf(start().final(message))).to.be.instanceOf(NoKafkaBroker);
      expect(performance.now() - startedAt, 'nothing is hashed').to.be.below(1_000);
    });
  }

  it('goes by the first number of rounds when there are two', async () => {
    const error = await failureOf(start().final(`${nonce},s=QQ==,i=4096,i=2000000000`));
    expect(error).to.equal(undefined);
  });

  for (const message of ['', 'v=', 'v=QQ==', 'v=!', 'hello', rfc.serverFinal.slice(0, -4), `x=1,${rfc.serverFinal}`]) {
    it(`takes the last message ${JSON.stringify(message)} for a fault of the other side`, async () => {
      const exchange = start();
      await exchange.final(rfc.serverFirst);
      expect(() => { exchange.verify(message); }).to.throw(NoKafkaBroker);
    });
  }

  it('says in words of its own that the other side does not know the password', async () => {
    const exchange = start();
    await exchange.final(rfc.serverFirst);
    expect(() => { exchange.verify(`v=${Buffer.alloc(32).toString('base64')}`); }).to.throw(ServerNotProven, 'has not proved that it knows the password');
    expect(() => { start().verify(rfc.serverFinal); }, 'before the second message').to.throw(ServerNotProven);
  });

  it('takes an error that the broker names for a refusal, in both places', async () => {
    expect(await failureOf(start().final('e=unknown-user'))).to.be.instanceOf(LoginRefused);
    expect(() => { start().verify('e=invalid-proof'); }).to.throw(LoginRefused, 'invalid-proof');
  });

  it('throws nothing of another class, whatever comes', async () => {
    const pieces = fc.array(fc.oneof(fc.constantFrom(nonce, 's=QQ==', 'i=1', 'i=', 'm=', 'e=x', 'v=QQ=='), fc.string()), { maxLength: 5 });
    await fc.assert(fc.asyncProperty(pieces, async (parts) => {
      const exchange = start();
      const errors = [await failureOf(exchange.final(parts.join())), await failureOf(Promise.resolve().then(() => { exchange.verify(parts.join()); }))];
      for (const error of errors) {
        expect([undefined, NoKafkaBroker, LoginRefused, ServerNotProven]).to.include(error instanceof Error ? error.constructor : error);
      }
    }), { numRuns: 300 });
  });
});
