import type { TraceContext } from '../src/core/queue-job.ts';
import { withoutNamed } from './header-names.ts';

/** The trace that a request belongs to (W3C Trace Context), in its flat list of header names and values. */

const TRACEPARENT = 'traceparent';
const TRACESTATE = 'tracestate';
const NAMES: ReadonlySet<string> = new Set([TRACEPARENT, TRACESTATE]);

/** Several of one are one with commas, which makes two parents none that anybody can read. */
export function traceContextOf(flat: readonly string[]): TraceContext | undefined {
  let traceparent: string | undefined;
  let tracestate: string | undefined;
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!;
    // Most names are told apart by their length.
    if (name.length === TRACEPARENT.length && name.toLowerCase() === TRACEPARENT)
      traceparent = joined(traceparent, flat[i + 1]!);
    else if (name.length === TRACESTATE.length && name.toLowerCase() === TRACESTATE)
      tracestate = joined(tracestate, flat[i + 1]!);
  }
  if (traceparent === undefined) return undefined;
  return tracestate === undefined ? { traceparent } : { traceparent, tracestate };
}

export function withoutTrace(flat: readonly string[]): string[] {
  return withoutNamed(flat, NAMES);
}

/** @param trace in place of the one that is in there */
export function withTrace(flat: readonly string[], { traceparent, tracestate }: TraceContext): string[] {
  const headers = withoutTrace(flat);
  headers.push(TRACEPARENT, traceparent);
  if (tracestate !== undefined) headers.push(TRACESTATE, tracestate);
  return headers;
}

function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`;
}
