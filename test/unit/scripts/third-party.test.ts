import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';

import { checkLicences, isAcceptedLicence, lockedPackages, vendored } from '../../../scripts/third-party.js';
import { readText } from '../docs/repository-file.js';

const root = path.resolve(import.meta.dirname, '../../..');

describe('what the service is made of', () => {
  it('has licences that were accepted, and no others', () => {
    const packages = lockedPackages(root);
    expect(packages.length).to.be.above(100);
    checkLicences([...packages, ...vendored]);
    for (const [licence, isAccepted] of [['MIT', true], ['(MIT OR GPL-3.0-only)', true], ['(MIT AND ISC)', true], ['MIT AND GPL-3.0-only', false], ['GPL-3.0-only', false], ['AGPL-3.0', false], ['SSPL-1.0', false], ['unknown', false], ['UNLICENSED', false], ['((MIT OR X) AND Y)', false], ['', false]] as const) {
      expect(isAcceptedLicence(licence), licence).to.equal(isAccepted);
    }
    expect(() => { checkLicences([{ name: 'evil', version: '1.0.0', licence: 'SSPL-1.0', use: 'run' }]); }).to.throw('evil 1.0.0: SSPL-1.0');
  });

  it('names the version of the files in vendor/ as their README does', () => {
    const [, version] = /`swagger-ui-dist` (\S+), unchanged/.exec(readText('vendor/swagger-ui/README.md')) ?? [];
    expect(vendored.map((part) => `${part.name} ${part.version}`)).to.deep.equal([`swagger-ui-dist ${version ?? '?'}`]);
  });

  it('stands in a bill of materials that names each package of the image, and no folder of this machine', function () {
    this.timeout(60_000);
    const folder = mkdtempSync(path.join(tmpdir(), 'sbom-'));
    try {
      const file = path.join(folder, 'sbom.json');
      execFileSync('npm', ['run', '--silent', 'sbom', '--', file], { cwd: root, stdio: 'pipe' });
      const text = readFileSync(file, 'utf8');
      const bill = JSON.parse(text) as { bomFormat: string; metadata: { component: { name: string; version: string } }; components: { name: string; version: string; licenses?: unknown[] }[] };
      expect(bill).to.include({ bomFormat: 'CycloneDX' });
      const { name, version } = JSON.parse(readText('package.json')) as { name: string; version: string };
      expect(bill.metadata.component).to.include({ name, version });
      const named = new Set(bill.components.map((each) => `${each.name} ${each.version}`));
      const running = [...lockedPackages(root), ...vendored].filter(({ use }) => use === 'run').map((each) => `${each.name} ${each.version}`);
      // Binaries for other systems are optional: npm leaves some of them out.
      expect(running.filter((each) => !named.has(each) && !each.startsWith('@msgpackr-extract/'))).to.deep.equal([]);
      expect(text).to.not.include(root);
      for (const each of bill.components) expect(each.licenses, each.name).to.have.lengthOf(1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
