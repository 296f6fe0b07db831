import { expect } from 'chai';

import { generatedDocs, staleDocs } from '../../../scripts/generate-docs.js';
import { variables } from '../../../shared/config/schema.js';
import { destinationTypeNames, rowOf } from '../../../shared/domain/destinations/destination.js';
import { deliveryErrors } from '../../../shared/domain/errors.js';
import { requestErrors } from '../../../shared/domain/request-errors.js';
import type { WireTask } from '../../../shared/wire/task.js';

describe('the generated docs', () => {
  it('say what the code says (npm run docs:generate)', async () => {
    expect(await staleDocs()).to.deep.equal([]);
  });

  it('have a row for every variable', async () => {
    const text = (await generatedDocs()).get('docs/ENVIRONMENT.md') ?? '';
    const rows = [...text.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name]) => name);
    expect(rows).to.have.members(Object.keys(variables));
  });

  it('have a row for every error code', async () => {
    const text = (await generatedDocs()).get('docs/ERRORS.md') ?? '';
    const rows = [...text.matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, code]) => code);
    expect(rows).to.have.members([...Object.keys(deliveryErrors), ...Object.keys(requestErrors)]);
  });

  it('have a row for every field of a task and of every type of destination', async () => {
    const text = (await generatedDocs()).get('docs/TASK-FIELDS.md') ?? '';
    const named = new Set([...text.matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, name]) => name));
    // Keys of WireTask, all of them by its type: what clients may write is what the table says.
    const wireNames = {
      ...{ id: true, source: true, client_id: true, destination_type: true, destination: true, dead_destination_type: true, dead_destination: true, on_exhausted: true },
      ...{ max_retries: true, base_delay: true, initial_delay: true, max_delay: true, jitter: true, message_data: true, is_priority: true, flow_key: true },
    } satisfies Record<keyof WireTask, true>;
    const destinationNames = destinationTypeNames.flatMap((type) => Object.keys(rowOf(type).fields));
    expect([...named]).to.have.members([...new Set([...Object.keys(wireNames), ...destinationNames])]);
  });

  it('give each refusal the status that error-response.ts gives it', async () => {
    const text = (await generatedDocs()).get('docs/ERRORS.md') ?? '';
    expect(text).to.include('| `conflict` | 409 | - |');
    expect(text).to.include('| `redis_full` | 503 | 5 |');
  });
});
