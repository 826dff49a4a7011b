/** `lanewise/client`: for producers, workers, and programs that operate deployments. */
export type * from './api-types.ts';
export type { Client, Exchange } from './calls.ts';
export { createClient, type ClientOptions } from './client.ts';
export { ApiError, UnreachableError } from './errors.ts';
export type { EventFrame } from './event-frame.ts';
export { followEvents, type FollowOptions } from './events.ts';
export {
  createProducer,
  DispatchError,
  type DispatchAnswer,
  type DispatchOptions,
  type Producer,
  type ProducerOptions,
} from './producer.ts';
export { registerWorker, type Registration, type WorkerOptions, type WorkerReport } from './worker.ts';
export type { Transport } from './plain-transport.ts';
export type { TlsOptions } from './transport.ts';
