import { readFileSync } from 'node:fs';

/** The API document, taken apart: its endpoints with their examples, its tables, its shell commands. */

export interface Endpoint {
  /** `Update Traffic Percentage` */
  readonly title: string;
  readonly method: string;
  /** `/deployments/{id}/percentage` */
  readonly path: string;
  readonly request: unknown;
  readonly response: unknown;
}

const TEXT = readFileSync(new URL('canary-deployments-api.md', import.meta.url), 'utf8');

/** The text under a heading, up to the next one of its level or above. */
export function section(heading: string): string {
  const level = heading.split(' ')[0]!.length;
  const start = TEXT.indexOf(`\n${heading}\n`);
  if (start === -1) throw new Error(`the document has no ${heading}`);
  const isHeading = new RegExp(`^#{1,${level}} `);
  const lines: string[] = [];
  let inBlock = false;
  for (const line of TEXT.slice(start + heading.length + 2).split('\n')) {
    if (line.startsWith('```')) inBlock = !inBlock;
    // A comment of a shell block looks like a heading.
    if (!inBlock && isHeading.test(line)) break;
    lines.push(line);
  }
  return lines.join('\n');
}

export function blocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    (match) => match[1]!,
  );
}

function exampleAfter(text: string, label: string): unknown {
  const at = text.indexOf(label);
  if (at === -1) return undefined;
  // The first block after the label, if no other label comes before it.
  const [, json] = /^[^*]*?```json\n([\s\S]*?)```/.exec(text.slice(at + label.length)) ?? [];
  return json === undefined ? undefined : JSON.parse(json);
}

export const ENDPOINTS: readonly Endpoint[] = section('## API Endpoints')
  .split(/^#### /m)
  .slice(1)
  .map((text) => {
    const [, method, path] = /```http\n(\w+) (\S+)/.exec(text)!;
    return {
      title: text.slice(0, text.indexOf('\n')),
      method: method!,
      path: path!,
      request: exampleAfter(text, '**Request Body:**'),
      response: exampleAfter(text, '**Response:**'),
    };
  });

export function model(name: string): unknown {
  return JSON.parse(blocks(section(`### ${name}`), 'json')[0]!);
}

export interface ErrorRow {
  readonly code: string;
  readonly status: number;
}

export const ERROR_ROWS: readonly ErrorRow[] = [
  ...section('### Error Codes').matchAll(/^\| `(\w+)` \|[^|]*\| (\d+) \|$/gm),
].map(([, code, status]) => ({ code: code!, status: Number(status) }));

/** Each curl call of the usage examples, as written. */
export const CURL_COMMANDS: readonly string[] = blocks(section('## Usage Examples'), 'bash').flatMap(
  (block) =>
    block
      .replaceAll(/^#.*\n/gm, '')
      .split(/^(?=curl )/m)
      .map((command) => command.trim())
      .filter((command) => command !== ''),
);
