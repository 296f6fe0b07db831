import { expect } from 'chai';

import { rangeOf, type AddressRange } from '../../../../../shared/domain/addresses/address-range.js';
import { refusalOfAddress, refusalOfHost, refusalOfUnresolved, type DestinationPolicy, type PolicyLevel } from '../../../../../shared/domain/addresses/destination-policy.js';
import { normalHost, parseDestinationRule, type DestinationRule } from '../../../../../shared/domain/addresses/destination-rule.js';
import { rowOf } from '../../../../../shared/domain/destinations/destination.js';
import { httpType } from '../../../../../shared/domain/destinations/http.js';

/** Notations of hosts as clients write them in a url, and what they mean. */
const inUrls: Readonly<Record<AddressRange, readonly string[]>> = {
  public: [
    '1.1.1.1', '8.8.8.8', '0x08080808', '134744072', '93.184.216.34', '172.15.255.255', '172.32.0.1', '192.167.1.1', '192.169.0.1', '11.0.0.1', '9.255.255.255',
    '100.63.255.255', '100.128.0.0', '169.253.1.1', '198.17.255.255', '198.20.0.1', '223.255.255.255', '[2606:4700::1111]', '[2a00:1450:4001::1]', '[3ffe::1]',
    '[::ffff:8.8.8.8]', '[::ffff:808:808]', '[64:ff9b::808:808]', '[2002:808:808::1]',
  ],
  private: [
    '10.0.0.1', '10.255.255.255', '10.1', '0x0a000001', '167772161', '012.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.0.1', '192.168.257', '100.64.0.1', '100.127.255.255',
    '[fc00::1]', '[fd12:3456:789a::1]', '[fd00:ec2::1]', '[::ffff:10.0.0.7]', '[::ffff:a00:7]', '[::a00:7]', '[64:ff9b::a00:7]', '[64:ff9b:1::a00:7]', '[2002:a00:7::1]', '[2001:0:1:2:3:4:f5ff:fff8]',
    '[::ffff:0:a00:7]', '１０.0.0.1', '10.0.0.1.', '10。0。0。1',
  ],
  loopback: [
    '127.0.0.1', '127.1', '127.0.1', '127.255.255.254', '0177.0.0.1', '0x7f.0.0.1', '0x7f000001', '2130706433', '017700000001', '0x7F000001', '127.0.0.01', '１２７.0.0.1', '①②⑦.0.0.1',
    '127。0。0。1', '%31%32%37.0.0.1', '0', '0.0.0.0', '0x0', '127.0.0.1.', '[::1]', '[0:0:0:0:0:0:0:1]', '[0000::0001]', '[::]', '[::ffff:7f00:1]', '[::ffff:127.0.0.1]', '[::7f00:1]',
    '[::127.0.0.1]', '[64:ff9b::7f00:1]', '[2002:7f00:1::]', '[64:ff9b:1::127.0.0.1]', '[::ffff:0:7f00:1]', '[2001::80ff:fffe]',
  ],
  metadata: [
    '169.254.169.254', '0xa9fea9fe', '2852039166', '0251.0376.0251.0376', '169.254.43518', '169.16689662', '[::ffff:169.254.169.254]', '[::ffff:a9fe:a9fe]', '[::a9fe:a9fe]', '[64:ff9b::a9fe:a9fe]',
    '[2002:a9fe:a9fe::1]', '169.254.170.2', '169.254.170.23', '100.100.100.200', '168.63.129.16', '192.0.0.192', '[fd00:ec2::254]', '[fd00:0ec2:0:0:0:0:0:254]', '[fd20:ce::254]', '169.254.169.254.',
    '１６９.254.169.254', '[2001:0:1:2:3:4:5601:5601]',
  ],
  other: [
    '0.1.2.3', '0.255.255.255', '169.254.0.1', '169.254.255.255', '192.0.0.8', '192.0.2.1', '192.88.99.1', '198.18.0.1', '198.19.255.255', '198.51.100.1', '203.0.113.9', '224.0.0.1', '239.255.255.255',
    '240.0.0.1', '255.255.255.255', '0xffffffff', '[fe80::1]', '[febf::1]', '[fec0::1]', '[ff02::1]', '[ff0e::1]', '[100::1]', '[100:0:0:1::1]', '[2001:db8::1]', '[3fff::1]', '[2001:20::1]', '[4000::1]',
    '[8000::1]', '[::ffff:224.0.0.1]', '[64:ff9b::e000:1]', '[5f00::1]', '[::ffff:192.0.2.1]', '[1::1]',
  ],
};

/** Whole urls, in which a reader may take something else for the host, and where they lead: `name` is one that has to be looked up. */
const wholeUrls: Readonly<Record<AddressRange | 'name' | 'refused', readonly string[]>> = {
  public: ['http://127.0.0.1@93.184.216.34/', 'http://127.0.0.1:80@93.184.216.34/', 'http://93.184.216.34#@127.0.0.1/', 'http://93.184.216.34?@127.0.0.1/', 'http://93.184.216.34/@127.0.0.1/'],
  private: ['HtTp://10.0.0.1/', 'http://8.8.8.8:80@10.0.0.1:80/'],
  loopback: [
    'http://user@127.0.0.1/', 'http://example.com@127.0.0.1/', 'http://example.com:80@127.0.0.1/', 'http://%00@127.0.0.1/', 'http://a:b@c@127.0.0.1/', 'http://127.0.0.1#@93.184.216.34/',
    'http://127.0.0.1?@93.184.216.34/', 'HTTPS://127.0.0.1/', 'http://１27.1#a@8.8.8.8', 'http://127.0.0.1/%2e%2e/', 'http://127.0.0.1:/',
  ],
  metadata: ['http://8.8.8.8:80@[::ffff:a9fe:a9fe]/', 'http://169.254.169.254#@93.184.216.34/'],
  other: ['http://8.8.8.8@224.0.0.1/'],
  name: ['http://bad.example/', 'http://bad.example./', 'http://BAD.example/', 'http://bad%2Eexample/', 'http://127.0.0.1@bad.example/', 'http://bad。example/'],
  refused: [
    'http://127.0.0.1\\@93.184.216.34/', 'http:///127.0.0.1/', 'http:////127.0.0.1/', 'http:127.0.0.1/', 'http:/127.0.0.1/', 'http:\\\\127.0.0.1/', '//127.0.0.1/', 'http://127.0.0.1:0P/', 'http://127.0.0.1:0/', 'http://127.0.0.1:65536/',
    'file:///etc/passwd', 'gopher://127.0.0.1/', 'ftp://127.0.0.1/', 'dict://127.0.0.1:11211/', 'unix:/var/run/docker.sock', 'ws://127.0.0.1/', 'jar:http://127.0.0.1/!/', 'data:text/plain,a', 'blob:http://127.0.0.1/a',
    'javascript:alert(1)', 'http://127.0.0.1\t/', 'http://127.0.0.1%09/', 'http://127.0.0.1%00.example/', 'http://[::1%25lo]/', 'http://[fe80::1%eth0]/', 'http://256.1.1.1/', 'http://1.2.3.4.5/',
    // One root dot is of the same name; with two of them a rule could be gone round.
    'http://bad.example../', 'http://bad.example.%2E/', 'http://bad.example。。/', 'http://127.0.0.1../', 'http://../',
  ],
};

const notations = Object.entries(inUrls).flatMap(([range, hosts]) => hosts.map((host) => [host, range] as const));
const noRedis = (): boolean => false;

function policy(level: PolicyLevel, { allow = '', deny = '' } = {}): DestinationPolicy {
  const rules = (text: string): DestinationRule[] => text.split(',').filter(Boolean).map((part) => parseDestinationRule(part) ?? expect.fail(`no rule: ${part}`));
  return { level, allow: rules(allow), deny: rules(deny) };
}

/** As the two doors ask: first the host, then each address that it resolves to. */
function refusal(rules: DestinationPolicy, host: string, { port = 443, addresses = [] as string[] } = {}): string | undefined {
  const dialed = { host: normalHost(host), port };
  const isAddress = rangeOf(dialed.host) !== undefined;
  return refusalOfHost(rules, dialed, noRedis) ?? (isAddress ? undefined : addresses.map((address) => refusalOfAddress(rules, dialed, address, noRedis)).find(Boolean));
}

describe('the address policy', () => {
  it('refuses these ports of names that a proxy looks up, unless a rule names the host', () => {
    const at = (rules: DestinationPolicy, host: string, port: number): boolean => refusalOfUnresolved(rules, { host: normalHost(host), port }) !== undefined;
    const allow = '10.0.0.0/8,mail.example:25,*.inner.example';
    expect([at(policy('public', { allow }), 'other.example', 25), at(policy('internal', { allow }), 'mail.example', 587), at(policy('public'), 'cache.example', 6379)]).to.deep.equal([true, true, true]);
    expect([at(policy('public', { allow }), 'mail.example', 25), at(policy('public', { allow }), 'a.inner.example', 6379), at(policy('any'), 'other.example', 25), at(policy('public'), 'other.example', 443)]).to.deep.equal([false, false, false, false]);
    expect(at(policy('public', { allow }), '10.0.0.7', 25), 'an address is judged by refusalOfHost').to.equal(false);
  });

  it('refuses names of metadata services whatever is allowed, and of loopback where a proxy looks names up', () => {
    const open = policy('any', { allow: 'metadata.google.internal,*.internal,0.0.0.0/0' });
    for (const host of ['metadata.google.internal', 'METADATA.google.internal.', 'metadata.goog', 'instance-data', 'instance-data.ec2.internal', 'instance-data.eu-west-1.compute.internal', 'metadata.tencentyun.com', 'api.metadata.cloud.ibm.com', 'metadata.packet.net', 'metadata.platformequinix.com']) expect(refusal(open, host, { addresses: ['8.8.8.8'] }), host).to.include('metadata service');
    expect(refusal(open, 'metadata.example', { addresses: ['8.8.8.8'] })).to.equal(undefined);
    const unresolved = (rules: DestinationPolicy, host: string): boolean => refusalOfUnresolved(rules, { host: normalHost(host), port: 443 }) !== undefined;
    for (const level of ['public', 'internal'] as const) expect([unresolved(policy(level), 'localhost'), unresolved(policy(level), 'x.LOCALHOST.'), unresolved(policy(level), 'notlocalhost')], level).to.deep.equal([true, true, false]);
    expect([unresolved(policy('any'), 'localhost'), unresolved(policy('public', { allow: 'localhost' }), 'localhost')]).to.deep.equal([false, false]);
  });

  it('refuses ports of programs that could take a message for commands, unless the operator names them', () => {
    const at = (rules: DestinationPolicy, host: string, port: number): string | undefined => refusal(rules, host, { port, addresses: ['8.8.8.8'] });
    for (const level of ['public', 'internal'] as const) {
      for (const port of [0, 22, 25, 53, 110, 143, 587, 6379, 6667, 11_211]) {
        for (const host of ['8.8.8.8', 'mail.example']) expect(at(policy(level), host, port), `${level} ${host}:${port}`).to.match(/is a port of programs that could take a message for commands \(DESTINATION_POLICY=(public|internal)\)$/);
      }
      for (const port of [24, 26, 80, 443, 6378, 6380, 8080, 9092, 11_210, 65_535]) expect(at(policy(level), 'api.example', port), `${level} ${port}`).to.equal(undefined);
    }
    expect(at(policy('any'), '8.8.8.8', 25)).to.equal(undefined);
    const rules = policy('public', { allow: 'mail.example:25,8.8.8.8/32:6379' });
    expect(at(rules, 'mail.example', 25)).to.equal(undefined);
    expect(at(rules, 'cache.example', 6379), 'by the address that it has').to.equal(undefined);
    expect(at(rules, 'other.example', 25)).to.include('a port of programs');
    expect(at(rules, '8.8.8.8', 25)).to.include('a port of programs');
  });

  it('has a table of at least 150 notations', () => {
    expect(new Set([...notations.map(([host]) => host), ...Object.values(wholeUrls).flat()]).size).to.be.at.least(150);
  });

  for (const [where, urls] of Object.entries(wholeUrls)) {
    it(`takes ${urls.length} whole urls for ${where}, whatever stands around their host`, () => {
      const { check } = httpType.fields.url;
      for (const url of urls) {
        const complaint = check.kind === 'text' ? check.checks.map((complaintAbout) => complaintAbout(url)).find((each) => each !== undefined) : expect.fail('no text');
        const host = normalHost(rowOf('http').dials({ type: 'http', url }, new Set())?.host ?? '');
        expect(complaint !== undefined ? 'refused' : (rangeOf(host) ?? 'name'), url).to.equal(where);
        if (where === 'name') expect(refusal(policy('any', { deny: 'bad.example' }), host), url).to.include('DESTINATION_DENY');
        else if (where !== 'refused') expect(refusal(policy('internal'), host) === undefined, url).to.equal(where === 'public' || where === 'private');
      }
    });
  }

  for (const [host, range] of notations) {
    it(`takes ${host} for ${range}, in a url and as a host of Kafka`, () => {
      const dialed = rowOf('http').dials({ type: 'http', url: `http://${host}/hook` }, new Set());
      expect(rangeOf(normalHost(dialed?.host ?? ''))).to.equal(range);
      const kafkaHost = host.replace(/^\[(.*)\]$/, '$1');
      if (!kafkaHost.includes('%')) expect(rangeOf(normalHost(kafkaHost))).to.equal(range);
      const isSent = (level: PolicyLevel): boolean => refusal(policy(level), dialed?.host ?? '') === undefined;
      expect({ public: isSent('public'), internal: isSent('internal'), any: isSent('any') }).to.deep.equal({
        public: range === 'public',
        internal: range === 'public' || range === 'private',
        any: range !== 'metadata',
      });
    });
  }

  it('cuts the zone of an address', () => {
    expect(rangeOf('fe80::1%eth0')).to.equal('other');
    expect(rangeOf(normalHost('::1%lo'))).to.equal('loopback');
  });

  it('judges all addresses of a name', () => {
    const addresses = (...found: string[]): string | undefined => refusal(policy('internal'), 'hooks.example', { addresses: found });
    expect(addresses('93.184.216.34', '10.0.0.1')).to.equal(undefined);
    expect(addresses('93.184.216.34', '127.0.0.1')).to.equal('127.0.0.1 is a loopback address (DESTINATION_POLICY=internal)');
    expect(addresses('::ffff:127.0.0.1')).to.include('loopback');
  });

  it('goes by the order never, DENY, ALLOW, POLICY', () => {
    const rules = policy('public', { allow: '*.corp.example,10.0.0.0/8,127.0.0.1:8080,0.0.0.0/0', deny: '10.9.0.0/16,bad.corp.example' });
    expect(refusal(rules, 'a.corp.example', { addresses: ['10.1.1.1'] })).to.equal(undefined);
    expect(refusal(rules, 'bad.corp.example')).to.equal('bad.corp.example:443 is in DESTINATION_DENY (bad.corp.example)');
    expect(refusal(rules, 'a.corp.example', { addresses: ['10.9.1.1'] })).to.include('10.9.0.0/16');
    expect(refusal(rules, 'a.corp.example', { addresses: ['169.254.169.254'] })).to.include('never sent to');
    expect(refusal(rules, '168.63.129.16')).to.include('never sent to');
    expect(refusal(policy('public', { allow: '127.0.0.1:8080' }), '127.0.0.1', { port: 8080 })).to.equal(undefined);
    expect(refusal(policy('public', { allow: '127.0.0.1:8080' }), '127.0.0.1', { port: 8081 })).to.include('loopback');
  });

  it('compares names in one form', () => {
    const rules = policy('any', { deny: 'bad.example,*.evil.example,Bücher.example' });
    for (const host of ['bad.example', 'BAD.example', 'bad.example.', 'x.evil.example', 'a.b.EVIL.example.', 'xn--bcher-kva.example', 'BÜCHER.example']) expect(refusal(rules, host), host).to.include('DESTINATION_DENY');
    for (const host of ['notbad.example', 'evil.example', 'notevil.example', 'bad.example.test', 'evil.example.test']) expect(refusal(rules, host), host).to.equal(undefined);
    const allowing = policy('public', { allow: '*.corp.example' });
    for (const host of ['corp.example.evil.test', 'notcorp.example', 'corp.example']) expect(refusal(allowing, host, { addresses: ['10.0.0.1'] }), host).to.include('private');
    expect(refusal(allowing, 'x.corp.example.', { addresses: ['10.0.0.1'] })).to.equal(undefined);
  });

  it('never sends to its own Redis, at that port alone', () => {
    const isOwnRedis = (address: string, port: number): boolean => address === '10.0.0.5' && port === 6379;
    const rules = policy('any', { allow: '10.0.0.5' });
    expect(refusalOfAddress(rules, { host: 'cache.example', port: 6379 }, '10.0.0.5', isOwnRedis)).to.include('Redis of this service');
    expect(refusalOfAddress(rules, { host: 'cache.example', port: 80 }, '10.0.0.5', isOwnRedis)).to.equal(undefined);
  });

  it('takes what a resolver would never answer for no address', () => {
    expect(refusalOfAddress(policy('any'), { host: 'a.example', port: 80 }, 'not an address', noRedis)).to.include('no address');
  });
});

describe('a rule for destinations', () => {
  const good: readonly (readonly [text: string, matches: readonly string[], others: readonly string[]])[] = [
    ['10.0.0.0/8', ['10.1.2.3', '::ffff:10.1.2.3'], ['11.0.0.1', 'fd00::1']],
    ['10.1.2.3', ['10.1.2.3'], ['10.1.2.4']],
    ['0xa000001', ['10.0.0.1'], ['10.0.0.2']],
    ['fd00::/8', ['fd12::1'], ['fc00::1', '10.0.0.1']],
    ['[fd00::/8]:9092', ['fd12::1'], []],
    ['[::1]', ['::1'], ['127.0.0.1']],
    ['::1', ['::1'], ['::2']],
    ['64:ff9b::/96', ['64:ff9b::808:808'], ['8.8.8.8']],
    ['0.0.0.0/0', ['1.2.3.4', '::ffff:1.2.3.4'], ['fd00::1']],
  ];
  for (const [text, matches, others] of good) {
    it(`${text} is about addresses`, () => {
      const rule = parseDestinationRule(text);
      const judge = (address: string): boolean => refusal({ level: 'any', allow: [], deny: rule === undefined ? [] : [rule] }, 'a.example', { port: 9092, addresses: [address] }) !== undefined;
      expect(rule?.text).to.equal(text);
      expect(matches.map(judge)).to.deep.equal(matches.map(() => true));
      expect(others.map(judge)).to.deep.equal(others.map(() => false));
    });
  }

  for (const text of ['', ':', '*', '*.', 'a b', '10.0.0.0/33', 'fd00::/129', '10.0.0.0/', 'a.example/8', 'a.example:0', 'a.example:65536', '[::1', 'http://a.example', '*.10.0.0.1', 'fe80::1%eth0']) {
    it(`is not ${JSON.stringify(text)}`, () => {
      expect(parseDestinationRule(text)).to.equal(undefined);
    });
  }
});
