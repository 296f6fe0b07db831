import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { Webhook } from 'standardwebhooks';

import { WebhookVerifier } from '../../../client/verify-webhook.js';
import { newSigningSecret, signatureHeaders, signerOf, webhookIdOf, type Signer } from '../../../shared/domain/secrets/webhook-signature.js';

const NOW = 1_800_000_000_000;
const message = { taskId: 'order-1', run: 1, edit: 0, phase: 'delivery' };
const body = '{"order":"ä 🚚"}';

function signer(secret: string): Signer {
  const found = signerOf(secret);
  if (found === undefined) throw new Error('no secret');
  return found;
}

function headersBy(signers: readonly Signer[], nowMs = NOW, text = body): Record<string, string> {
  const pairs = signatureHeaders(signers, message, text, nowMs);
  return Object.fromEntries(Array.from({ length: pairs.length / 2 }, (_, nth) => [pairs[2 * nth] ?? '', pairs[2 * nth + 1] ?? '']));
}

describe('signatures of Standard Webhooks', () => {
  const [v1, v1a] = [newSigningSecret('v1', randomBytes), newSigningSecret('v1a', randomBytes)];
  const publicKey = signer(v1a).publicKey ?? '';
  const verifier = new WebhookVerifier([v1, publicKey], { now: () => NOW });

  it('of v1 are those of the official library', () => {
    const official = new Webhook(v1);
    expect(signer(v1).sign(`${webhookIdOf(message)}.${NOW / 1_000}.${body}`)).to.equal(official.sign(webhookIdOf(message), new Date(NOW), body));
    // The library looks at the clock of this machine.
    expect(official.verify(body, headersBy([signer(v1)], Date.now()))).to.deep.equal(JSON.parse(body));
    expect(() => new Webhook(newSigningSecret('v1', randomBytes)).verify(body, headersBy([signer(v1)], Date.now()))).to.throw('No matching signature found');
  });

  it('name the message, not the attempt', () => {
    expect(webhookIdOf(message)).to.equal('msg_0b609539cded9b1f5c0bd9a4b0d1373d').and.to.match(/^msg_[0-9a-f]{32}$/);
    const others = [{ ...message, run: 2 }, { ...message, edit: 1 }, { ...message, phase: 'dead' }, { ...message, taskId: 'order-1,1' }];
    expect(new Set([message, ...others].map(webhookIdOf)).size).to.equal(5);
  });

  it('of both algorithms, and of both secrets, are verified by our client', () => {
    for (const signers of [[v1], [v1a], [newSigningSecret('v1', randomBytes), v1], [v1, newSigningSecret('v1a', randomBytes)]]) {
      expect(verifier.verify(body, headersBy(signers.map(signer)))).to.deep.equal({ id: webhookIdOf(message), sentAt: NOW });
    }
    expect(verifier.verify(Buffer.from(body), new Headers(headersBy([signer(v1a)])))?.id).to.equal(webhookIdOf(message));
  });

  const good = headersBy([signer(v1), signer(v1a)]);
  const [hmac = '', ed25519 = ''] = (good['webhook-signature'] ?? '').split(' ');
  const table: readonly (readonly [what: string, headers: Record<string, string>, isTaken: boolean])[] = [
    ['unknown versions and double spaces beside a right one', { ...good, 'webhook-signature': `v9,AAAA  v1,  ${hmac} ,` }, true],
    ['a right one behind wrong ones', { ...good, 'webhook-signature': `v1,AAAA v1a,AAAA ${ed25519}` }, true],
    ['a time 300 s ago', headersBy([signer(v1)], NOW - 300_000), true],
    ['a time 300 s ahead', headersBy([signer(v1)], NOW + 300_000), true],
    ['a time 301 s ago', headersBy([signer(v1)], NOW - 301_000), false],
    ['a time 301 s ahead', headersBy([signer(v1)], NOW + 301_000), false],
    ['a signature of another length', { ...good, 'webhook-signature': `${hmac.slice(0, -8)} ${ed25519}AAAA` }, false],
    ['the signature of one version as the other', { ...good, 'webhook-signature': `v1a${hmac.slice(2)} v1${ed25519.slice(3)}` }, false],
    ['another id', { ...good, 'webhook-id': 'msg_other' }, false],
    ['another time', { ...good, 'webhook-timestamp': String(NOW / 1_000 + 1) }, false],
    ['another body', headersBy([signer(v1), signer(v1a)], NOW, `${body} `), false],
    ['a time that is none', { ...good, 'webhook-timestamp': '1e9' }, false],
    ['no signature', { ...good, 'webhook-signature': '' }, false],
    ['no headers', {}, false],
  ];
  for (const [what, headers, isTaken] of table) {
    it(`${isTaken ? 'take' : 'do not take'} ${what}`, () => {
      expect(verifier.verify(body, headers) !== undefined).to.equal(isTaken);
    });
  }

  it('take no text for a secret that is none', () => {
    for (const text of ['', 'whsec_', 'whsec_AAAA', 'whsec_not base64', publicKey, `whsk_${Buffer.alloc(31).toString('base64')}`, `whsk_${Buffer.alloc(64).toString('base64')}`, v1.slice(6)]) expect(signerOf(text), text).to.equal(undefined);
    expect(signer(`whsk_${Buffer.from(v1a.slice(5), 'base64').subarray(0, 32).toString('base64')}`).publicKey, 'a seed alone').to.equal(publicKey);
    for (const text of [v1a, 'whpk_AAAA', 'secret']) expect(() => new WebhookVerifier(text)).to.throw(TypeError, 'whsec_');
  });
});
