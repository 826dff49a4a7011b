import { expect } from 'vitest';

/** Parts of the documented shapes that differ from run to run. */

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
export const ID = expect.stringMatching(new RegExp(`^canary_${UUID}$`)) as string;
export const EVENT_ID = expect.stringMatching(new RegExp(`^event_${UUID}$`)) as string;
export const INSTANT = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/) as string;

/** A deployment's configuration by the default profile. */
export const DEFAULT_CONFIG = {
  routing_strategy: 'split_queue',
  sticky_routing: true,
  auto_promotion: false,
  max_canary_duration: '2h0m0s',
  min_canary_duration: '5m0s',
  drain_timeout: '5m0s',
  metrics_window: '5m0s',
  rollback_thresholds: {
    max_error_rate_increase: 5,
    max_latency_increase: 50,
    max_throughput_decrease: 20,
    min_success_rate: 95,
    required_sample_size: 20,
  },
};
