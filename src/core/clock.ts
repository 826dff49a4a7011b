/** Time comes in as an argument. The real one is in `src/runtime/clock.ts`. */
export interface Clock {
  /** Milliseconds since the Unix epoch; may jump. For timestamps. */
  now(): number;
  /** Milliseconds from an arbitrary start; never goes back. For latencies and leases. */
  monotonic(): number;
}
