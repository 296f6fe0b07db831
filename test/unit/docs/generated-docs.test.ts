import { expect } from 'chai';

import { generatedDocs, staleDocs } from '../../../scripts/generate-docs.js';
import { variables } from '../../../shared/config/schema.js';
import { deliveryErrors, requestErrors } from '../../../shared/domain/errors.js';

describe('the generated docs', () => {
  it('say what the code says (npm run docs:generate)', () => {
    expect(staleDocs()).to.deep.equal([]);
  });

  it('have a row for every variable', () => {
    const text = generatedDocs().get('docs/ENVIRONMENT.md') ?? '';
    const rows = [...text.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name]) => name);
    expect(rows).to.have.members(Object.keys(variables));
  });

  it('have a row for every error code', () => {
    const text = generatedDocs().get('docs/ERRORS.md') ?? '';
    const rows = [...text.matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, code]) => code);
    expect(rows).to.have.members([...Object.keys(deliveryErrors), ...Object.keys(requestErrors)]);
  });

  it('give each refusal the status that error-response.ts gives it', () => {
    const text = generatedDocs().get('docs/ERRORS.md') ?? '';
    expect(text).to.include('| `conflict` | 409 | - |');
    expect(text).to.include('| `redis_full` | 503 | 5 |');
  });
});
