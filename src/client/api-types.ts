/**
 * The control API's schemas and operations as types.
 *
 * Made from the OpenAPI document by `npm run docs:api`; the words are in control/api.
 */

export type Ok = { status: 'ok' };

export type Error = {
  /** What went wrong, for people. */
  error: string;
  code:
    | 'DEPLOYMENT_NOT_FOUND'
    | 'DEPLOYMENT_EXISTS'
    | 'INVALID_PERCENTAGE'
    | 'VALIDATION_FAILED'
    | 'CONCURRENCY_LIMIT'
    | 'DEPLOYMENT_NOT_ACTIVE'
    | 'DEPLOYMENT_ACTIVE'
    | 'UNAUTHORIZED'
    | 'FORBIDDEN'
    | 'NOT_FOUND'
    | 'WORKER_NOT_FOUND'
    | 'METHOD_NOT_ALLOWED'
    | 'REQUEST_IN_PROGRESS'
    | 'PRECONDITION_FAILED'
    | 'PAYLOAD_TOO_LARGE'
    | 'RATE_LIMITED'
    | 'CONNECTION_LIMIT'
    | 'QUEUE_UNAVAILABLE'
    | 'STORE_UNAVAILABLE'
    | 'INTERNAL'
    | 'INVALID_DISPATCH'
    | 'NO_WORKER_AVAILABLE'
    | 'WORKER_UNREACHABLE'
    | 'WORKER_TIMEOUT'
    | 'WORKER_FAILED'
    | 'PROXY_OVERLOADED'
    | 'LOOP_DETECTED';

  /** Field → what is wrong with it. */
  details: { readonly [name: string]: string };
};

export type Deployment = {
  id: string;
  queue_name: string;
  tenant_id?: string | undefined;
  stable_version: string;
  canary_version: string;
  current_percent: number;
  target_percent: number;
  status: 'active' | 'promoting' | 'rolling_back' | 'completed' | 'failed' | 'paused';
  start_time: string;
  last_update: string;
  completed_at?: string | undefined;
  config: DeploymentConfig;
  created_by?: string | undefined;
  metadata?: { readonly [name: string]: unknown } | undefined;
};

export type DeploymentConfig = Profile & {
  /** Present where it is not `stable`. */
  fallback?: 'stable' | 'none' | undefined;

  /** Present where it is not `true`. */
  auto_rollback?: boolean | undefined;

  /** Present where it is not `sequential`. */
  analysis?: 'sequential' | 'threshold' | undefined;

  /** Present where it is not `false`. */
  retry_on_stable?: boolean | undefined;

  /** Present where it is not 0. */
  required_distinct_keys?: number | undefined;
};

export type Stage = {
  percentage: number;

  /** Go's canonical form. */
  duration: string;
};

export type RollbackThresholds = {
  max_error_rate_increase: number;
  max_latency_increase: number;
  max_throughput_decrease: number;
  min_success_rate: number;
  required_sample_size: number;
};

export type Profile = {
  routing_strategy: 'split_queue' | 'stream_group' | 'hash_ring';
  sticky_routing: boolean;
  auto_promotion: boolean;

  /** Go's canonical form. */
  max_canary_duration: string;

  /** Go's canonical form. */
  min_canary_duration: string;

  /** Go's canonical form. */
  drain_timeout?: string | undefined;

  /** Go's canonical form. */
  metrics_window?: string | undefined;

  /** Of automatic promotion. */
  stages?: readonly Stage[] | undefined;
  rollback_thresholds: RollbackThresholds;
};

export type Pagination = {
  page: number;
  page_size: number;
  total_pages: number;
  total_items: number;
  has_next: boolean;
  has_prev: boolean;
};

export type RoutedDeployment = Deployment & { routing: Routing };

export type Routing = {
  /** Number of the routing change. */
  revision: number;

  /** Proxies that live; null where nobody could say. */
  proxies: number | null;

  /** Of those, how many route by this revision. */
  applied: number | null;
};

export type DeploymentRequest = {
  /** 1 to 128 letters, digits or any of . _ - { }, beginning with a letter, a digit or { */
  queue_name: string;

  /** For this tenant's jobs only. */
  tenant_id?: string | undefined;

  /** 1 to 128 visible ASCII characters without spaces */
  stable_version: string;

  /** 1 to 128 visible ASCII characters without spaces */
  canary_version: string;
  routing_strategy?: 'split_queue' | 'stream_group' | 'hash_ring' | undefined;

  /** The same key, the same lane. */
  sticky_routing?: boolean | undefined;

  /** Promote when the metrics allow it. */
  auto_promotion?: boolean | undefined;

  /** How long it may take. */
  max_duration?: string | undefined;

  /** How long it may take. */
  max_canary_duration?: string | undefined;

  /** How long it must last before it is promoted automatically. */
  min_duration?: string | undefined;

  /** How long it must last before it is promoted automatically. */
  min_canary_duration?: string | undefined;

  /** How long a lane may take to empty after a promotion or rollback. */
  drain_timeout?: string | undefined;

  /** What health and metrics are taken over. */
  metrics_window?: string | undefined;
  rollback_thresholds?:
    | {
        max_error_rate_increase?: number | undefined;
        max_latency_increase?: number | undefined;
        max_throughput_decrease?: number | undefined;
        min_success_rate?: number | undefined;
        required_sample_size?: number | undefined;
      }
    | undefined;

  /** Where a canary job goes when no canary worker can take it; `stable` if left out. */
  fallback?: 'stable' | 'none' | undefined;

  /** Roll back when it fails; `true` if left out. */
  auto_rollback?: boolean | undefined;

  /** When a breached threshold counts: `sequential`, once the evidence says so (the default), or `threshold`, at once. */
  analysis?: 'sequential' | 'threshold' | undefined;

  /** Where automatic promotion goes step by step, and how long each must go well. Left out: 5 %, 25 %, 50 % and 75 %, a quarter of the minimum duration each. */
  stages?: readonly { percentage: number; duration: string }[] | undefined;

  /** Try a job that failed on the canary once on stable. For jobs that may run twice. */
  retry_on_stable?: boolean | undefined;

  /** Sticky keys that the canary must have seen before anything is decided; 0 if left out. */
  required_distinct_keys?: number | undefined;

  /** Where it starts; the first stage if left out, or 0 without stages. */
  initial_percentage?: number | undefined;

  /** The name of the token if left out. */
  created_by?: string | undefined;

  /** Any object of at most 16 KiB. */
  metadata?: { readonly [name: string]: unknown } | undefined;
  profile?: 'default' | 'conservative' | 'aggressive' | undefined;
};

export type DetailedDeployment = RoutedDeployment & { metrics: DeploymentMetrics; health: HealthStatus };

export type DeploymentMetrics = { stable: MetricsSnapshot; canary: MetricsSnapshot };

export type MetricsSnapshot = {
  timestamp: string;
  window_start: string;
  window_end: string;
  job_count: number;
  success_count: number;
  error_count: number;

  /** Percent. */
  error_rate: number | null;

  /** Percent. */
  success_rate: number | null;

  /** Milliseconds, like all latencies. */
  avg_latency: number | null;
  p50_latency: number | null;
  p95_latency: number | null;
  p99_latency: number | null;
  max_latency: number | null;
  jobs_per_second: number | null;

  /** Over the workers that report it. */
  avg_memory_mb: number | null;
  peak_memory_mb: number | null;
  avg_cpu_percent: number | null;

  /** Jobs in the lane that wait or are delayed, of all tenants. Null for hash_ring, which has no queue, and once the deployment has ended. */
  queue_depth: number | null;

  /** Dead jobs of the queue, which both lanes have in common. Null where `queue_depth` is. */
  dead_letters: number | null;

  /** Workers of the lane that are healthy or degraded. */
  worker_count: number;
  version: string;
};

export type HealthStatus = 'healthy' | 'warning' | 'failing' | 'unknown';

export type DeploymentEvent = {
  id: string;
  deployment_id: string;
  type:
    | 'deployment_created'
    | 'percentage_updated'
    | 'deployment_promoted'
    | 'deployment_rolled_back'
    | 'health_check_failed'
    | 'health_check_recovered'
    | 'auto_promotion_triggered'
    | 'deployment_paused'
    | 'deployment_resumed'
    | 'lane_drained';
  message: string;
  timestamp: string;

  /** The name of the credential that did it. */
  actor: string;

  /** The numbers behind it. */
  data?: { readonly [name: string]: unknown } | undefined;
};

export type DeploymentHealth = {
  overall_status: HealthStatus;
  error_rate_check: HealthCheck;
  latency_check: HealthCheck;
  throughput_check: HealthCheck;
  sample_size_check: HealthCheck;
  duration_check: HealthCheck;
  last_evaluation: string;
  evidence?: HealthEvidence | undefined;

  /** What the checks do not see: jobs that wait in the canary lane and that nobody takes. */
  notes?: readonly string[] | undefined;
};

export type HealthCheck = { name: string; passing: boolean; message: string; timestamp: string };

/** Of the present percentage, once it is judged. */
export type HealthEvidence = {
  error_rate: CriterionEvidence;
  latency: CriterionEvidence;
  success_rate: CriterionEvidence;
  throughput: CriterionEvidence;

  /** Jobs sent to the canary at the present percentage. */
  canary_jobs: number;
  stable_jobs: number;
};

export type CriterionEvidence = {
  /** How many times likelier the jobs are with the criterion breached than within it. */
  evidence: number;

  /** What the evidence must reach for the breach to count. */
  required: number;
  proven: boolean;
};

export type DeploymentHistory = {
  /** What each point is over. */
  step: string;
  points: readonly HistoryPoint[];
};

export type HistoryPoint = {
  /** The end of the step. */
  timestamp: string;
  stable: LanePoint;
  canary: LanePoint;
};

export type LanePoint = {
  job_count: number;
  jobs_per_second: number;

  /** Percent. */
  error_rate: number | null;

  /** Milliseconds. */
  p95_latency: number | null;
};

export type PercentageUpdated = { success: true; percentage: number; updated_at: string; routing: Routing };

export type PercentageUpdate = { percentage: number };

export type Promoted = { success: true; message: string; timestamp: string; routing: Routing };

export type RolledBack = {
  success: true;
  message: string;
  reason: string;
  timestamp: string;
  routing: Routing;
};

export type RollbackRequest = {
  /** `Manual rollback` if left out or blank. */
  reason?: string | undefined;
};

export type Worker = {
  id: string;
  version: string;

  /** The lane it registered with. */
  lane: 'stable' | 'canary';
  queues: readonly string[];

  /** Where it takes jobs over HTTP. */
  url?: string | undefined;

  /** Of the url: answers 2xx while the worker is well. */
  health_path?: string | undefined;

  /** Its share; present where it is not 1. */
  weight?: number | undefined;

  /** Jobs at once. */
  max_concurrency?: number | undefined;
  last_seen: string;
  status: 'healthy' | 'degraded' | 'unhealthy' | 'unreachable';
  metrics: {
    jobs_processed: number;
    jobs_succeeded: number;
    jobs_failed: number;

    /** Milliseconds. */
    avg_processing_time: number | null;
    memory_usage_mb: number | null;
    cpu_usage_percent: number | null;
    last_job_at: string | null;
  };
  metadata: { readonly [name: string]: unknown };
};

export type WorkerRequest = {
  /** 1 to 128 visible ASCII characters without spaces */
  id: string;

  /** 1 to 128 visible ASCII characters without spaces */
  version: string;

  /** `stable` if left out. */
  lane?: 'stable' | 'canary' | undefined;
  queues: readonly string[];

  /** Where it takes jobs over HTTP. Without one it gets none from a proxy. It must point into `worker_url_allow`. */
  url?: string | undefined;

  /** Appended to `url`; proxies ask it every few seconds, and send a worker whose answers are not 2xx no jobs while its lane can do without it. */
  health_path?: string | undefined;

  /** Its share; 1 if left out. */
  weight?: number | undefined;

  /** Jobs at once, as seen by each proxy; no limit if left out. */
  max_concurrency?: number | undefined;

  /** Any object of at most 16 KiB. */
  metadata?: { readonly [name: string]: unknown } | undefined;
};

export type WorkerStatusUpdated = {
  success: true;
  status: 'healthy' | 'degraded' | 'unhealthy' | 'unreachable';
  updated_at: string;
};

export type WorkerStatusUpdate = {
  status: 'healthy' | 'degraded' | 'unhealthy' | 'unreachable';
  metrics?:
    | {
        jobs_processed?: number | undefined;
        jobs_succeeded?: number | undefined;
        jobs_failed?: number | undefined;
        avg_processing_time?: number | null | undefined;
        memory_usage_mb?: number | null | undefined;
        cpu_usage_percent?: number | null | undefined;
        last_job_at?: string | null | undefined;
      }
    | undefined;
};

export type Queue = {
  name: string;
  strategy: 'split_queue' | 'stream_group' | 'hash_ring';

  /** Null for hash_ring, and where `problem` says why. */
  lanes: { stable: QueueLane; canary: QueueLane } | null;

  /** Null where `lanes` is. */
  dead: number | null;

  /** Jobs that producers have pushed and no proxy has routed yet; null where `problem` says why. Only of a queue with an `intake`. */
  intake_depth?: number | null | undefined;

  /** Why the lanes, or the intake, can not be read. */
  problem?: string | undefined;
};

export type QueueLane = {
  waiting: number;

  /** Until their next attempt. */
  delayed: number;

  /** In the hands of proxies; consumers that read Redis themselves are not seen. */
  in_flight: number;

  /** Of the job at the front; null if none waits, or the job does not say (`envelope: raw`). */
  oldest_age_seconds: number | null;
};

export type DeadJob = {
  /** Of this death; the same job can die twice. */
  id: string;
  at: string;

  /** In which it died. */
  lane: 'stable' | 'canary';
  reason: string;

  /** Null, like all below, if it could not be read. */
  job_id: string | null;

  /** The sticky key. */
  key: string | null;

  /** Null also if it has none. */
  tenant_id: string | null;

  /** Null also if the job does not say. */
  enqueued_at: string | null;
  attempts: number | null;

  /** The latest attempts, oldest first. */
  history: readonly JobAttempt[];

  /** At most its first 16 KiB. */
  body: string | null;
  body_encoding: 'utf-8' | 'base64' | null;

  /** Of the whole body. */
  body_bytes: number | null;
  body_truncated: boolean;
};

export type JobAttempt = {
  at: string;
  version: string;
  worker?: string | undefined;

  /** `lost`: whoever had the job died, and what became of it is not known. */
  outcome: 'success' | 'failure' | 'timeout' | 'unreachable' | 'rejected' | 'aborted' | 'lost';

  /** Of the worker's answer. */
  status?: number | undefined;
  message?: string | undefined;
};

export type Requeued = {
  success: true;

  /** Jobs that were there and are there no longer. */
  count: number;
};

export type RequeueRequest = {
  /** As in the list of dead jobs; those that are gone are passed over. */
  ids?: readonly string[] | undefined;
  all?: true | undefined;

  /** `stable` if left out. */
  lane?: 'stable' | 'canary' | undefined;
};

export type Dropped = {
  success: true;

  /** Jobs that were there and are there no longer. */
  count: number;
};

export type DropRequest = {
  /** As in the list of dead jobs; those that are gone are passed over. */
  ids?: readonly string[] | undefined;
  all?: true | undefined;
};

export type Credential = {
  name: string;
  role: 'viewer' | 'operator' | 'worker' | 'admin';

  /** `read`: every GET. `operate`: deployments, workers and queues. `report`: what a worker says of itself. */
  permissions: readonly ('read' | 'operate' | 'report')[];

  /** The one that the token is limited to. */
  tenant_id?: string | undefined;
};

/** What each operation takes (path, query, body and headers in one) and answers. */

export interface Operations {
  /** Whether the process answers */
  isAlive: { input: {}; answer: Ok };

  /** Whether the store answers too */
  isReady: { input: {}; answer: Ok };

  /** List deployments, newest first */
  listDeployments: {
    input: {
      status?: 'active' | 'promoting' | 'rolling_back' | 'completed' | 'failed' | 'paused' | undefined;
      /** 1 to 128 letters, digits or any of . _ - { }, beginning with a letter, a digit or { */
      queue_name?: string | undefined;
      /** 1 to 128 visible ASCII characters without spaces */
      tenant_id?: string | undefined;
      /** Which page; 1 if left out. */
      page?: number | undefined;
      /** Items a page; 10 if left out. */
      page_size?: number | undefined;
    };
    answer:
      | { deployments: readonly Deployment[]; count: number }
      | { data: readonly Deployment[]; pagination: Pagination };
  };

  /** Begin a deployment */
  createDeployment: {
    input: {
      /** The same key again gets the same answer for 24 hours, and nothing is done twice. */
      idempotencyKey?: string | undefined;
      body: DeploymentRequest;
    };
    answer: RoutedDeployment;
  };

  /** A deployment, how it is doing, and how far its routing has come */
  getDeployment: { input: { id: string }; answer: DetailedDeployment };

  /** Delete a deployment that has ended, with its events */
  deleteDeployment: {
    input: {
      id: string;
      /** The `ETag` that the deployment must still have. */
      ifMatch?: string | undefined;
    };
    answer: undefined;
  };

  /** What happened to a deployment, newest first */
  listDeploymentEvents: {
    input: {
      id: string;
      /** Which page; 1 if left out. */
      page?: number | undefined;
      /** Items a page; 10 if left out. */
      page_size?: number | undefined;
    };
    answer:
      | { events: readonly DeploymentEvent[]; count: number }
      | { data: readonly DeploymentEvent[]; pagination: Pagination };
  };

  /** The checks of a deployment and what they add up to */
  getHealth: { input: { id: string }; answer: DeploymentHealth };

  /** Stable and canary side by side */
  getMetrics: { input: { id: string }; answer: DeploymentMetrics };

  /** Stable and canary over time */
  getHistory: {
    input: {
      id: string;
      /** How far back; the metrics window if left out. */
      window?: string | undefined;
      /** A multiple of 5 s, of which the window has at most 120; the shortest such if left out. */
      step?: string | undefined;
    };
    answer: DeploymentHistory;
  };

  /** Change the share of the canary */
  setPercentage: {
    input: {
      id: string;
      /** The `ETag` that the deployment must still have. */
      ifMatch?: string | undefined;
      body: PercentageUpdate;
    };
    answer: PercentageUpdated;
  };

  /** Make the canary version the stable one */
  promoteDeployment: {
    input: {
      id: string;
      /** The same key again gets the same answer for 24 hours, and nothing is done twice. */
      idempotencyKey?: string | undefined;
      /** The `ETag` that the deployment must still have. */
      ifMatch?: string | undefined;
      body?: { readonly [name: string]: never } | undefined;
    };
    answer: Promoted;
  };

  /** Take the canary version out */
  rollBackDeployment: {
    input: {
      id: string;
      /** The same key again gets the same answer for 24 hours, and nothing is done twice. */
      idempotencyKey?: string | undefined;
      /** The `ETag` that the deployment must still have. */
      ifMatch?: string | undefined;
      body?: RollbackRequest | undefined;
    };
    answer: RolledBack;
  };

  /** Hold the percentage */
  pauseDeployment: {
    input: {
      id: string;
      /** The same key again gets the same answer for 24 hours, and nothing is done twice. */
      idempotencyKey?: string | undefined;
      /** The `ETag` that the deployment must still have. */
      ifMatch?: string | undefined;
      body?: { readonly [name: string]: never } | undefined;
    };
    answer: RoutedDeployment;
  };

  /** Go on after a pause */
  resumeDeployment: {
    input: {
      id: string;
      /** The same key again gets the same answer for 24 hours, and nothing is done twice. */
      idempotencyKey?: string | undefined;
      /** The `ETag` that the deployment must still have. */
      ifMatch?: string | undefined;
      body?: { readonly [name: string]: never } | undefined;
    };
    answer: RoutedDeployment;
  };

  /** List workers */
  listWorkers: {
    input: {
      lane?: 'stable' | 'canary' | undefined;
      /** 1 to 128 letters, digits or any of . _ - { }, beginning with a letter, a digit or { */
      queue?: string | undefined;
      status?: 'healthy' | 'degraded' | 'unhealthy' | 'unreachable' | undefined;
      /** 1 to 128 visible ASCII characters without spaces */
      version?: string | undefined;
      /** Which page; 1 if left out. */
      page?: number | undefined;
      /** Items a page; 10 if left out. */
      page_size?: number | undefined;
    };
    answer:
      { workers: readonly Worker[]; count: number } | { data: readonly Worker[]; pagination: Pagination };
  };

  /** Register a worker; the same id again replaces it */
  registerWorker: {
    input: {
      /** The same key again gets the same answer for 24 hours, and nothing is done twice. */
      idempotencyKey?: string | undefined;
      body: WorkerRequest;
    };
    answer: Worker;
  };

  /** Say how a worker is doing */
  setWorkerStatus: { input: { id: string; body: WorkerStatusUpdate }; answer: WorkerStatusUpdated };

  /** Take a worker out of the registry */
  removeWorker: { input: { id: string }; answer: undefined };

  /** List queues, with what waits in their lanes */
  listQueues: {
    input: {
      /** Which page; 1 if left out. */
      page?: number | undefined;
      /** Items a page; 10 if left out. */
      page_size?: number | undefined;
    };
    answer: { queues: readonly Queue[]; count: number } | { data: readonly Queue[]; pagination: Pagination };
  };

  /** The dead jobs of a queue, latest first */
  listDeadJobs: {
    input: {
      /** 1 to 128 letters, digits or any of . _ - { }, beginning with a letter, a digit or { */
      queue: string;
      /** Which page; 1 if left out. */
      page?: number | undefined;
      /** Items a page; 10 if left out. */
      page_size?: number | undefined;
    };
    answer: { data: readonly DeadJob[]; pagination: Pagination };
  };

  /** Drop dead jobs for good */
  dropDeadJobs: {
    input: {
      /** 1 to 128 letters, digits or any of . _ - { }, beginning with a letter, a digit or { */
      queue: string;
      body: DropRequest;
    };
    answer: Dropped;
  };

  /** Let dead jobs begin anew */
  requeueDeadJobs: {
    input: {
      /** 1 to 128 letters, digits or any of . _ - { }, beginning with a letter, a digit or { */
      queue: string;
      /** The same key again gets the same answer for 24 hours, and nothing is done twice. */
      idempotencyKey?: string | undefined;
      body: RequeueRequest;
    };
    answer: Requeued;
  };

  /** The profiles that a deployment can be created with */
  listProfiles: { input: {}; answer: { readonly [name: string]: Profile } };

  /** Who the token is, and what it may do */
  getCredential: { input: {}; answer: Credential };
}

export const ROUTES = {
  isAlive: { method: 'GET', path: '/healthz' },
  isReady: { method: 'GET', path: '/readyz' },
  listDeployments: { method: 'GET', path: '/api/v1/canary/deployments' },
  createDeployment: { method: 'POST', path: '/api/v1/canary/deployments' },
  getDeployment: { method: 'GET', path: '/api/v1/canary/deployments/{id}' },
  deleteDeployment: { method: 'DELETE', path: '/api/v1/canary/deployments/{id}' },
  listDeploymentEvents: { method: 'GET', path: '/api/v1/canary/deployments/{id}/events' },
  getHealth: { method: 'GET', path: '/api/v1/canary/deployments/{id}/health' },
  getMetrics: { method: 'GET', path: '/api/v1/canary/deployments/{id}/metrics' },
  getHistory: { method: 'GET', path: '/api/v1/canary/deployments/{id}/metrics/history' },
  setPercentage: { method: 'PUT', path: '/api/v1/canary/deployments/{id}/percentage' },
  promoteDeployment: { method: 'POST', path: '/api/v1/canary/deployments/{id}/promote' },
  rollBackDeployment: { method: 'POST', path: '/api/v1/canary/deployments/{id}/rollback' },
  pauseDeployment: { method: 'POST', path: '/api/v1/canary/deployments/{id}/pause' },
  resumeDeployment: { method: 'POST', path: '/api/v1/canary/deployments/{id}/resume' },
  listWorkers: { method: 'GET', path: '/api/v1/canary/workers' },
  registerWorker: { method: 'POST', path: '/api/v1/canary/workers' },
  setWorkerStatus: { method: 'PUT', path: '/api/v1/canary/workers/{id}/status' },
  removeWorker: { method: 'DELETE', path: '/api/v1/canary/workers/{id}' },
  listQueues: { method: 'GET', path: '/api/v1/canary/queues' },
  listDeadJobs: { method: 'GET', path: '/api/v1/canary/queues/{queue}/dead' },
  dropDeadJobs: { method: 'DELETE', path: '/api/v1/canary/queues/{queue}/dead' },
  requeueDeadJobs: { method: 'POST', path: '/api/v1/canary/queues/{queue}/dead/requeue' },
  listProfiles: { method: 'GET', path: '/api/v1/canary/config/profiles' },
  getCredential: { method: 'GET', path: '/api/v1/canary/config/credential' },
} as const satisfies Record<keyof Operations, { method: string; path: string }>;
