import { format, resolveConfig } from 'prettier';
import type { Json } from './api-document.ts';
import { ROOT } from './pages.ts';

/** `src/client/api-types.ts`, made from the OpenAPI document. `npm run docs:api` writes it. */

export const CLIENT_TYPES_PATH = 'src/client/api-types.ts';

const HEAD = `/**
 * The control API's schemas and operations as types.
 *
 * Made from the OpenAPI document by \`npm run docs:api\`; the words are in control/api.
 */`;

/** Headers that are part of an operation's input, under the name that the client gives them. */
const INPUT_HEADERS: Readonly<Record<string, string>> = {
  'If-Match': 'ifMatch',
  'Idempotency-Key': 'idempotencyKey',
};

interface Operation {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly definition: Json;
}

export async function clientTypes(document: Json): Promise<string> {
  const schemas = Object.entries<Json>(document.components.schemas).map(
    ([name, schema]) => `${comment(schema.description)}export type ${name} = ${typeOf(schema)};`,
  );
  const operations = operationsOf(document);
  const types = operations.map(
    ({ name, definition }) =>
      `${comment(definition.summary)}${name}: { input: ${inputOf(document, definition)}; answer: ${answerOf(definition)} };`,
  );
  const routes = operations.map(
    ({ name, method, path }) => `${name}: { method: '${method.toUpperCase()}', path: '${path}' },`,
  );
  const text = [
    HEAD,
    ...schemas,
    '/** What each operation takes (path, query, body and headers in one) and answers. */',
    `export interface Operations {\n${types.join('\n')}\n}`,
    `export const ROUTES = {\n${routes.join('\n')}\n} as const satisfies Record<keyof Operations, { method: string; path: string }>;`,
  ].join('\n\n');
  return format(text, { ...(await resolveConfig(`${ROOT}/${CLIENT_TYPES_PATH}`)), parser: 'typescript' });
}

/** Those that speak JSON. */
function operationsOf(document: Json): readonly Operation[] {
  return Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
    Object.entries<Json>(methods)
      .map(([method, definition]) => ({ name: String(definition.operationId), method, path, definition }))
      .filter(({ definition }) => {
        const { content } = successOf(definition);
        return content === undefined || 'application/json' in content;
      }),
  );
}

function successOf(definition: Json): Json {
  return definition.responses[Object.keys(definition.responses).find((status) => status.startsWith('2'))!];
}

function answerOf(definition: Json): string {
  const { content } = successOf(definition);
  return content === undefined ? 'undefined' : typeOf(content['application/json'].schema);
}

function inputOf(document: Json, definition: Json): string {
  const fields = (definition.parameters ?? [])
    .map((p: Json) => ('$ref' in p ? document.components.parameters[p.$ref.split('/').at(-1)] : p))
    .flatMap((p: Json) => {
      const name = p.in === 'header' ? INPUT_HEADERS[p.name] : p.name;
      return name === undefined ? [] : [field(name, p.schema, p.required === true, p.description)];
    });
  const { requestBody } = definition;
  if (requestBody !== undefined) {
    const { schema } = requestBody.content['application/json'];
    fields.push(field('body', schema, requestBody.required === true, requestBody.description));
  }
  return fields.length === 0 ? '{}' : `{ ${fields.join(' ')} }`;
}

function field(name: string, schema: Json, isRequired: boolean, description?: string): string {
  const key = /^[A-Za-z_]\w*$/.test(name) ? name : JSON.stringify(name);
  const type = typeOf(schema);
  return `${comment(description ?? schema.description)}${key}${isRequired ? '' : '?'}: ${type}${isRequired ? '' : ' | undefined'};`;
}

function typeOf(schema: Json): string {
  if ('$ref' in schema) return schema.$ref.split('/').at(-1);
  if ('allOf' in schema) return schema.allOf.map((part: Json) => `(${typeOf(part)})`).join(' & ');
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return choices.map((part: Json) => `(${typeOf(part)})`).join(' | ');
  if ('enum' in schema) return schema.enum.map((value: unknown) => JSON.stringify(value)).join(' | ');
  if (Array.isArray(schema.type)) {
    return schema.type.map((type: string) => `(${typeOf({ ...schema, type })})`).join(' | ');
  }
  switch (schema.type) {
    case 'object':
      return objectType(schema);
    case 'array':
      return `readonly (${typeOf(schema.items)})[]`;
    case 'integer':
      return 'number';
    case 'string':
    case 'number':
    case 'boolean':
    case 'null':
      return schema.type;
    case undefined:
      return 'unknown';
    default:
      throw new Error(`no TypeScript for ${JSON.stringify(schema)}`);
  }
}

function objectType({ properties, required = [], additionalProperties }: Json): string {
  if (properties === undefined || Object.keys(properties).length === 0) {
    return typeof additionalProperties === 'object'
      ? `{ readonly [name: string]: ${typeOf(additionalProperties)} }`
      : '{ readonly [name: string]: never }';
  }
  const fields = Object.entries<Json>(properties).map(([name, schema]) =>
    field(name, schema, required.includes(name)),
  );
  return `{ ${fields.join('\n')} }`;
}

function comment(text: string | undefined): string {
  return text === undefined ? '' : `\n/** ${text.replaceAll('*/', '* /')} */\n`;
}
