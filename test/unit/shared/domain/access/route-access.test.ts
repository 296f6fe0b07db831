import { expect } from 'chai';

import { anonymousCaller, hasPermission, mayUseClient, permissions, type Caller, type KeyRole, type Permission } from '../../../../../shared/domain/access/caller.js';
import { missingFor, type RouteAccess } from '../../../../../shared/domain/access/route-access.js';

function key(role: KeyRole, own: readonly Permission[] = [], clientIds?: readonly string[]): Caller {
  return { type: 'key', id: 'abcd', name: 'a key', role, permissions: own, clientIds, sealSecret: undefined, endsAt: null };
}

describe('missingFor', () => {
  const table: readonly (readonly [access: RouteAccess, caller: Caller, missing: string | undefined])[] = [
    [{ role: 'none' }, key('submit', [], ['c1']), undefined],
    [{ role: 'any_key' }, key('submit'), undefined],
    [{ role: 'any_key' }, key('submit', [], ['c1']), 'a key that is not bound to clients'],
    [{ role: 'any_key', isNarrowed: true }, key('submit', [], ['c1']), undefined],
    [{ role: 'submit' }, key('submit'), undefined],
    [{ role: 'submit' }, key('read'), 'the role submit'],
    [{ role: 'submit' }, key('operate'), undefined],
    [{ role: 'read' }, key('submit'), 'the role read'],
    [{ role: 'read' }, key('operate'), undefined],
    [{ role: 'operate' }, key('read'), 'the role operate'],
    [{ role: 'operate' }, key('admin'), undefined],
    [{ role: 'admin' }, key('operate', permissions), 'the role admin'],
    [{ role: 'read', permission: 'payload' }, key('read'), 'the permission payload'],
    [{ role: 'read', permission: 'payload' }, key('read', ['payload']), undefined],
    [{ role: 'read', permission: 'payload' }, key('submit', ['payload']), 'the role read'],
    [{ role: 'operate', permission: 'edit' }, key('admin'), undefined],
    [{ role: 'operate', orElse: { role: 'submit', permission: 'cancel' } }, key('submit'), 'the role operate, or the permission cancel'],
    [{ role: 'operate', orElse: { role: 'submit', permission: 'cancel' } }, key('submit', ['cancel']), undefined],
    [{ role: 'operate', orElse: { role: 'submit', permission: 'cancel' } }, key('read', ['cancel']), 'the role operate'],
    [{ role: 'operate' }, key('operate', permissions, ['c1']), 'a key that is not bound to clients'],
    [{ role: 'admin', permission: 'payload' }, anonymousCaller, undefined],
  ];
  for (const [access, caller, missing] of table) {
    it(`${JSON.stringify(access)} asks ${caller.role} ${caller.permissions.join(' ')}${caller.clientIds === undefined ? '' : ', bound'} for ${missing ?? 'nothing more'}`, () => {
      expect(missingFor(access, caller)).to.equal(missing);
    });
  }
});

describe('a caller', () => {
  it('has all permissions as an admin, and only its own else', () => {
    for (const permission of permissions) {
      expect(hasPermission(key('admin'), permission)).to.equal(true);
      expect(hasPermission(key('operate'), permission)).to.equal(false);
      expect(hasPermission(key('read', [permission]), permission)).to.equal(true);
    }
  });

  it('may use the clients that it is bound to, letter by letter, and all without a binding', () => {
    const bound = key('read', [], ['c1', 'c2']);
    expect(['c1', 'c2', 'C1', 'c', ''].map((client) => mayUseClient(bound, client))).to.deep.equal([true, true, false, false, false]);
    expect(mayUseClient(anonymousCaller, 'any')).to.equal(true);
  });
});
