import { format, resolveConfig } from 'prettier';
import { BASE_PATH } from '../../control/app.ts';
import type { Json } from './api-document.ts';
import { ROOT } from './pages.ts';

/** `docs/api.md` and the README's table, made from the OpenAPI document. `npm run docs:api` writes them. */

const NOTE = '<!-- Made from the OpenAPI document by `npm run docs:api`; the words are in control/api. -->';

export const README_TABLE = { begin: '<!-- api:begin -->', end: '<!-- api:end -->' } as const;

interface Endpoint {
  readonly name: string;
  readonly operation: Json;
}

function endpointsOf(document: Json, tag: string): readonly Endpoint[] {
  return Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
    Object.entries<Json>(methods)
      .filter(([, operation]) => operation.tags.includes(tag))
      .map(([method, operation]) => ({
        name: `${method.toUpperCase()} ${path.replace(BASE_PATH, '')}`,
        operation,
      })),
  );
}

/** The whole of `docs/api.md`. */
export function apiPage(document: Json): Promise<string> {
  const sections = document.tags.map((tag: Json) =>
    [
      `## ${tag.name}`,
      tag.description,
      ...endpointsOf(document, tag.name).map((e) => endpoint(document, e)),
    ].join('\n\n'),
  );
  const schemas = Object.entries<Json>(document.components.schemas).map(([name, s]) =>
    [`### ${name}`, s.description ?? '', shape(document, s)].join('\n\n'),
  );
  return tidy(
    ['# Control API', NOTE, document.info.description, ...sections, '## Schemas', ...schemas].join('\n\n'),
  );
}

/** The README with its table of endpoints as it should be. */
export async function withApiTable(readme: string, document: Json): Promise<string> {
  const { begin, end } = README_TABLE;
  const [before, rest] = split(readme, begin);
  const [, after] = split(rest, end);
  const rows = document.tags.flatMap((tag: Json) =>
    endpointsOf(document, tag.name).map(({ name, operation }) => `| \`${name}\` | ${operation.summary} |`),
  );
  const table = ['| endpoint | what it does |', '| --- | --- |', ...rows].join('\n');
  return `${before}${begin}\n\n${await tidy(table)}\n${end}${after}`;
}

function split(text: string, mark: string): readonly [string, string] {
  const at = text.indexOf(mark);
  if (at === -1) throw new Error(`the README has no ${mark}`);
  return [text.slice(0, at), text.slice(at + mark.length)];
}

async function tidy(markdown: string): Promise<string> {
  return format(markdown, { ...(await resolveConfig(`${ROOT}/README.md`)), parser: 'markdown' });
}

function endpoint(document: Json, { name, operation }: Endpoint): string {
  const { summary, description, requestBody, responses } = operation;
  const parts = [`### \`${name}\``, `${summary}.`];
  if (description !== undefined) parts.push(description);
  const parameters = (operation.parameters ?? [])
    .map((entry: Json) => resolved(document, entry))
    .filter((parameter: Json) => parameter.in !== 'path' && parameter.name !== 'X-Request-Id');
  if (parameters.length > 0) parts.push(parameterTable(parameters));
  const content = requestBody?.content['application/json'];
  if (content !== undefined) {
    const fields = shape(document, resolved(document, content.schema));
    if (fields !== '') parts.push(requestBody.required ? 'Body:' : 'Body, if any:', fields);
    if (Object.keys(content.example).length > 0) parts.push(json(content.example));
  }
  for (const [status, response] of Object.entries<Json>(responses)) {
    if (Number(status) < 400) parts.push(...success(status, response));
  }
  parts.push(`Errors: ${errors(responses)}.`);
  return parts.join('\n\n');
}

function success(status: string, { description, content }: Json): readonly string[] {
  const answer = content?.['application/json'];
  const schema = answer?.schema.$ref?.split('/').at(-1);
  const type = schema === undefined ? '' : ` ([${schema}](#${schema.toLowerCase()}))`;
  return [
    `**${status}**${type}: ${description}`,
    ...(answer?.example === undefined ? [] : [json(answer.example)]),
  ];
}

function errors(responses: Json): string {
  const codes = Object.entries<Json>(responses)
    .filter(([status]) => Number(status) >= 400)
    .flatMap(([status, { content }]) =>
      Object.keys(content['application/json'].examples).map((code) => `${status} \`${code}\``),
    );
  return codes.length === 0 ? 'none' : codes.join(', ');
}

function parameterTable(parameters: readonly Json[]): string {
  const rows = parameters.map(
    ({ name, in: place, description, schema }) =>
      `| \`${name}\` | ${place} | ${typeOf(schema)} | ${cell(description)} |`,
  );
  return ['| parameter | in | type | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

/** The fields of an object as a table; of anything else its type. */
function shape(document: Json, schema: Json): string {
  const { properties, required } = merged(document, schema);
  const names = Object.keys(properties);
  if (names.length === 0) return schema.type === 'object' || schema.allOf ? '' : typeOf(schema);
  const rows = names.map((name) => {
    const field = properties[name];
    const needed = required.has(name) ? '' : ' (optional)';
    return `| \`${name}\`${needed} | ${typeOf(field)} | ${cell(descriptionOf(field))} |`;
  });
  return ['| field | type | meaning |', '| --- | --- | --- |', ...rows].join('\n');
}

function merged(document: Json, schema: Json): { properties: Json; required: ReadonlySet<string> } {
  const all = [schema, ...(schema.allOf ?? []).map((part: Json) => resolved(document, part))];
  const inner = all.slice(1).map((part) => merged(document, part));
  return {
    properties: Object.assign({}, ...inner.map((i) => i.properties), schema.properties),
    required: new Set([...inner.flatMap((i) => [...i.required]), ...(schema.required ?? [])]),
  };
}

function typeOf(schema: Json): string {
  if (schema === undefined) return '';
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1);
    return `[${name}](#${name.toLowerCase()})`;
  }
  if (schema.enum !== undefined) return schema.enum.map((word: unknown) => `\`${String(word)}\``).join(', ');
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  const options = schema.anyOf ?? schema.oneOf;
  if (options !== undefined) return options.map((option: Json) => typeOf(option)).join(' or ');
  if (schema.allOf !== undefined) return typeOf(schema.allOf[0]);
  if (schema.type === 'array') return `list of ${typeOf(schema.items)}`;
  const types: readonly string[] = [schema.type].flat();
  const text = types.map((type) => (type === 'integer' ? 'whole number' : type)).join(' or ');
  return `${text}${rangeOf(schema)}`;
}

function rangeOf({ minimum, maximum, format: form }: Json): string {
  if (form === 'date-time') return ', a time';
  if (minimum === undefined || maximum === undefined || maximum === Number.MAX_SAFE_INTEGER) return '';
  return `, ${minimum} to ${maximum}`;
}

function descriptionOf(schema: Json): string | undefined {
  return (
    schema.description ?? schema.allOf?.find((part: Json) => part.description !== undefined)?.description
  );
}

function resolved(document: Json, node: Json): Json {
  const [, section, name] = /^#\/components\/(\w+)\/(.+)$/.exec(node.$ref ?? '') ?? [];
  return section === undefined ? node : document.components[section][name!];
}

function cell(text = ''): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

function json(value: unknown): string {
  return `\`\`\`json\n${JSON.stringify(value, null, 2)}\n\`\`\``;
}
