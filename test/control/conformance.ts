import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { Answer, Json } from './harness.ts';

/**
 * Whether answers are what `/openapi.json` says: the status is one of the operation's, the error code one of the
 * status's, the body fits its schema and holds nothing that the schema does not name, and the headers are there.
 */
export interface Conformance {
  /** @throws Error that says where the answer and the description differ */
  check(method: string, path: string, answer: Answer): void;
}

export function createConformance(document: Json): Conformance {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema({ ...closedDocument(document), $id: 'openapi' });
  const compiled = new Map<string, ValidateFunction>();

  const validate = (pointer: string, body: unknown): string | undefined => {
    const validator = compiled.get(pointer) ?? ajv.compile(closed({ $ref: `openapi#${pointer}` }));
    compiled.set(pointer, validator);
    return validator(body) ? undefined : ajv.errorsText(validator.errors, { dataVar: 'body' });
  };

  const problemOf = (method: string, path: string, { status, headers, body }: Answer): string | undefined => {
    const template = templateOf(document.paths, path);
    const verb = method === 'HEAD' ? 'get' : method.toLowerCase();
    const operation = template === undefined ? undefined : document.paths[template][verb];
    if (operation === undefined) {
      // Nothing describes what is not there; how it is refused is the same everywhere.
      return status < 400 ? undefined : validate('/components/schemas/Error', body);
    }
    const response = operation.responses[status];
    if (response === undefined) return `the status ${status} is not described (${JSON.stringify(body)})`;
    for (const [name, reference] of Object.entries<Json>(response.headers ?? {})) {
      const problem = headerProblem(headers.get(name), resolved(document, reference));
      if (problem !== undefined) return `the header ${name} ${problem}`;
    }
    const content = response.content?.['application/json'];
    if (content === undefined || method === 'HEAD') return undefined;
    if (status >= 400 && content.examples[body.code] === undefined) return `${body.code} is not described`;
    return validate(
      `/paths/${escaped(template!)}/${verb}/responses/${status}/content/application~1json/schema`,
      body,
    );
  };

  return {
    check(method, path, answer) {
      const problem = problemOf(method, path, answer);
      if (problem === undefined) return;
      throw new Error(`${method} ${path}: the answer (${answer.status}) is not as described: ${problem}`);
    },
  };
}

function headerProblem(value: string | null, { required = false, schema }: Json): string | undefined {
  if (value === null) return required === true ? 'is missing' : undefined;
  if (schema.type === 'integer' && !/^\d+$/.test(value)) return `is not a number: ${value}`;
  return undefined;
}

function resolved(document: Json, node: Json): Json {
  const [, section, name] = /^#\/components\/(\w+)\/(.+)$/.exec(node.$ref ?? '') ?? [];
  return section === undefined ? node : document.components[section][name!];
}

/** The path of the description that a request goes to; fixed segments go before parameters. */
function templateOf(paths: Json, path: string): string | undefined {
  const { pathname } = new URL(path, 'http://localhost');
  const given = pathname.split('/');
  const fits = Object.keys(paths).filter((template) => {
    const wanted = template.split('/');
    return (
      wanted.length === given.length &&
      wanted.every((part, i) => (part.startsWith('{') ? given[i] !== '' : part === given[i]))
    );
  });
  return fits.toSorted((a, b) => a.split('{').length - b.split('{').length)[0];
}

function escaped(segment: string): string {
  return encodeURIComponent(segment.replaceAll('~', '~0').replaceAll('/', '~1'));
}

/** With every object closed: a field that the description does not name is a mistake of one of the two. */
function closedDocument(document: Json): Json {
  const { schemas } = document.components;
  return {
    paths: mapSchemas(document.paths),
    components: {
      ...document.components,
      // Open at the root, since another schema may extend it; closed wherever it is referred to.
      schemas: Object.fromEntries(Object.entries<Json>(schemas).map(([name, s]) => [name, closed(s, true)])),
    },
  };
}

function mapSchemas(node: Json): Json {
  if (Array.isArray(node)) return node.map(mapSchemas);
  if (typeof node !== 'object' || node === null) return node;
  return Object.fromEntries(
    Object.entries<Json>(node).map(([key, value]) => [
      key,
      key === 'schema' ? closed(value) : key === 'example' || key === 'examples' ? value : mapSchemas(value),
    ]),
  );
}

function closed(schema: Json, isExtended = false): Json {
  if (typeof schema !== 'object' || schema === null) return schema;
  const { allOf, anyOf, oneOf, properties, items, additionalProperties, example: _, ...rest } = schema;
  const isObject = properties !== undefined || allOf !== undefined || rest.$ref !== undefined;
  const inside = (values: Json[] | undefined, extended = false) => values?.map((s) => closed(s, extended));
  return {
    ...rest,
    ...(allOf && { allOf: inside(allOf, true) }),
    ...(anyOf && { anyOf: inside(anyOf) }),
    ...(oneOf && { oneOf: inside(oneOf) }),
    ...(items && { items: closed(items) }),
    ...(properties && {
      properties: Object.fromEntries(Object.entries(properties).map(([name, s]) => [name, closed(s)])),
    }),
    ...(additionalProperties !== undefined && { additionalProperties: closed(additionalProperties) }),
    ...(isObject && !isExtended && additionalProperties === undefined && { unevaluatedProperties: false }),
  };
}
