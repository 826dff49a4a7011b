import { expect } from 'vitest';
import type { Answer } from './harness.ts';

/** Every refusal is the documented body: never a 500, never a stack, and every bad field is named, and no other. */
export function refusal(status: number, code: string, fields: readonly string[]): Answer {
  const message = expect.not.stringMatching(/\.ts|node_modules|Zod|^$/) as string;
  return {
    status,
    headers: expect.any(Headers) as Headers,
    body: { error: message, code, details: Object.fromEntries(fields.map((field) => [field, message])) },
  };
}
