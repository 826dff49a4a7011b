import { validate } from '@readme/openapi-parser';
import { describe, expect, test } from 'vitest';
import { ERROR_STATUS } from '../../src/core/errors.ts';
import { BASE_PATH } from '../../control/app.ts';
import { openControl, type Json } from './harness.ts';

const byName = (a: string, b: string): number => a.localeCompare(b);

interface Description {
  readonly document: Json;
  readonly endpoints: readonly { readonly name: string; readonly operation: Json }[];
}

async function readDescription(): Promise<Description> {
  const control = await openControl();
  const { body: document } = await control.fetch('/openapi.json');
  const endpoints = Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
    Object.entries<Json>(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      operation,
    })),
  );
  return { document, endpoints };
}

describe('the description of the API', () => {
  test('needs no token, and says of itself that it is OpenAPI 3.1', async () => {
    const { document } = await readDescription();
    expect(document).toMatchObject({ openapi: '3.1.0', info: { version: '0.0.0-test' } });
  });

  test('is valid', async () => {
    const { document } = await readDescription();
    const result = await validate(document, { validate: { errors: { colorize: false } } });
    expect(result).toMatchObject({ valid: true, warnings: [] });
  });

  test('gives every operation a name of its own, a summary and a tag that is explained', async () => {
    const { document, endpoints } = await readDescription();
    const tags = document.tags.map((tag: Json) => tag.name as string);
    const names = endpoints.map(({ operation }) => operation.operationId as string);
    expect(new Set(names).size).toBe(names.length);
    for (const { name, operation } of endpoints) {
      expect([name, operation]).toEqual([
        name,
        expect.objectContaining({ operationId: expect.any(String), summary: expect.stringMatching(/\w/) }),
      ]);
      expect(tags).toEqual(expect.arrayContaining(operation.tags));
    }
  });

  test('gives every parameter a schema, and says what it takes', async () => {
    const { document, endpoints } = await readDescription();
    for (const { name, operation } of endpoints) {
      for (const entry of operation.parameters ?? []) {
        const parameter =
          entry.$ref === undefined ? entry : document.components.parameters[entry.$ref.split('/').at(-1)];
        const { schema, description, example } = parameter;
        const saysWhat = [description, example, schema?.example, schema?.enum].some(
          (part) => part !== undefined,
        );
        expect([name, parameter.name, schema !== undefined, saysWhat]).toEqual([
          name,
          parameter.name,
          true,
          true,
        ]);
      }
    }
  });

  test('has every code of the control API in its introduction and in some answer', async () => {
    const { document, endpoints } = await readDescription();
    const answered = new Set<string>();
    for (const { operation } of endpoints) {
      for (const { content } of Object.values<Json>(operation.responses)) {
        for (const code of Object.keys(content?.['application/json']?.examples ?? {})) answered.add(code);
      }
    }
    // These are about paths that are not described.
    for (const code of ['NOT_FOUND', 'METHOD_NOT_ALLOWED']) answered.add(code);
    const codes = Object.keys(ERROR_STATUS);
    const ofControl = codes.slice(0, codes.indexOf('INVALID_DISPATCH'));
    expect([...answered].toSorted(byName)).toEqual(ofControl.toSorted(byName));
    for (const code of ofControl) expect(document.info.description).toContain(`| \`${code}\` |`);
  });

  test('names every endpoint', async () => {
    const { endpoints } = await readDescription();
    expect(endpoints.map(({ name }) => name).toSorted((a, b) => a.localeCompare(b))).toEqual([
      `DELETE ${BASE_PATH}/deployments/{id}`,
      `DELETE ${BASE_PATH}/queues/{queue}/dead`,
      `DELETE ${BASE_PATH}/workers/{id}`,
      `GET ${BASE_PATH}/config/credential`,
      `GET ${BASE_PATH}/config/profiles`,
      `GET ${BASE_PATH}/deployments`,
      `GET ${BASE_PATH}/deployments/{id}`,
      `GET ${BASE_PATH}/deployments/{id}/events`,
      `GET ${BASE_PATH}/deployments/{id}/health`,
      `GET ${BASE_PATH}/deployments/{id}/metrics`,
      `GET ${BASE_PATH}/deployments/{id}/metrics/history`,
      `GET ${BASE_PATH}/queues`,
      `GET ${BASE_PATH}/queues/{queue}/dead`,
      `GET ${BASE_PATH}/workers`,
      'GET /healthz',
      'GET /metrics',
      'GET /readyz',
      `POST ${BASE_PATH}/deployments`,
      `POST ${BASE_PATH}/deployments/{id}/pause`,
      `POST ${BASE_PATH}/deployments/{id}/promote`,
      `POST ${BASE_PATH}/deployments/{id}/resume`,
      `POST ${BASE_PATH}/deployments/{id}/rollback`,
      `POST ${BASE_PATH}/queues/{queue}/dead/requeue`,
      `POST ${BASE_PATH}/workers`,
      `PUT ${BASE_PATH}/deployments/{id}/percentage`,
      `PUT ${BASE_PATH}/workers/{id}/status`,
    ]);
  });

  test('gives every body of JSON a schema and an example, and every error its code', async () => {
    const { endpoints } = await readDescription();
    for (const { name, operation } of endpoints) {
      const bodies = [operation.requestBody, ...Object.values<Json>(operation.responses)]
        .map((part) => part?.content?.['application/json'])
        .filter((content) => content !== undefined);
      for (const content of bodies) {
        const hasExample = content.example !== undefined || Object.keys(content.examples).length > 0;
        expect([name, hasExample, content.schema]).toEqual([name, true, expect.any(Object)]);
      }
      for (const [status, { content }] of Object.entries<Json>(operation.responses)) {
        if (Number(status) < 400) continue;
        expect(content['application/json'].schema).toEqual({ $ref: '#/components/schemas/Error' });
        for (const [code, { value }] of Object.entries<Json>(content['application/json'].examples)) {
          expect(value).toEqual({
            error: expect.any(String) as string,
            code,
            details: expect.any(Object) as object,
          });
        }
      }
    }
  });

  test('refers to nothing that it does not hold', async () => {
    const { document } = await readDescription();
    const references = JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g);
    const names = new Set([...references].map(([, name]) => name!));
    expect(names.size).toBeGreaterThan(10);
    for (const name of names) expect(document.components.schemas).toHaveProperty(name);
  });

  test('says how to authenticate, wherever a token is needed', async () => {
    const { document, endpoints } = await readDescription();
    expect(document.components.securitySchemes).toEqual({
      bearer: { type: 'http', scheme: 'bearer' },
      apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
    });
    for (const { name, operation } of endpoints.filter((e) => e.name.includes(BASE_PATH))) {
      expect([name, operation.security]).toEqual([name, [{ bearer: [] }, { apiKey: [] }]]);
    }
  });
});
