import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Environment } from './process.ts';

/**
 * A receiver of OTLP over HTTP, as a collector is one, and what came to it. Contents are read of `http/json` (the JSON
 * mapping of opentelemetry-proto); protobuf is kept as bytes.
 */

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: none. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly attributes: Attributes;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly failed: boolean;
  readonly resource: Attributes;
}

export interface ReceivedMetric {
  readonly name: string;
  readonly unit: string;
  readonly scope: string;
  readonly resource: Attributes;
  readonly points: readonly ReceivedPoint[];
}

export interface ReceivedPoint {
  readonly attributes: Attributes;
  /** Of a histogram its count. */
  readonly value: number;
  readonly histogram?: {
    readonly sum: number;
    readonly bounds: readonly number[];
    readonly counts: readonly number[];
  };
}

export interface ReceivedExport {
  readonly path: string;
  readonly contentType: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

type Attributes = Readonly<Record<string, unknown>>;

/** Of the enumeration in opentelemetry-proto. */
export const PRODUCER = 4;
export const CONSUMER = 5;
const ERROR = 2;

export class OtlpReceiver implements AsyncDisposable {
  readonly exports: ReceivedExport[] = [];
  readonly spans: ReceivedSpan[] = [];
  /** Of the latest export. */
  metrics: readonly ReceivedMetric[] = [];
  metricExports = 0;
  /** What exports are answered; `silent`: nothing, ever. What is not taken is not kept. */
  answer: number | 'silent' = 200;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => void this.#receive(request, response));
  }

  static async start(port = 0): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver();
    receiver.#server.listen(port, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** For a process that exports to it, at once and readably. */
  get environment(): Environment {
    return {
      OTEL_EXPORTER_OTLP_ENDPOINT: this.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '20',
      OTEL_METRIC_EXPORT_INTERVAL: '100',
    };
  }

  /** `process` spans of a queue. */
  processed(queue: string): readonly ReceivedSpan[] {
    return this.spans.filter(({ name }) => name === `process ${queue}`);
  }

  sent(queue: string): readonly ReceivedSpan[] {
    return this.spans.filter(({ name }) => name === `send ${queue}`);
  }

  /** All points of a metric. */
  pointsOf(name: string): readonly ReceivedPoint[] {
    return this.metrics.filter((metric) => metric.name === name).flatMap(({ points }) => points);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { url: path = '', headers } = request;
    const contentType = headers['content-type'];
    const body = Buffer.concat(chunks);
    this.exports.push({ path, contentType, headers, body });
    if (this.answer === 'silent') return;
    if (this.answer === 200 && contentType === 'application/json') this.#keep(path, JSON.parse(String(body)));
    response.writeHead(this.answer, { 'Content-Type': contentType ?? 'text/plain' });
    response.end(contentType === 'application/json' ? '{}' : '');
  }

  #keep(path: string, content: Traces & Metrics): void {
    if (path === '/v1/traces') this.spans.push(...spansOf(content));
    if (path !== '/v1/metrics') return;
    this.metrics = metricsOf(content);
    this.metricExports++;
  }
}

interface KeyValue {
  readonly key: string;
  readonly value: {
    readonly stringValue?: string;
    readonly boolValue?: boolean;
    readonly intValue?: number | string;
    readonly doubleValue?: number;
  };
}

interface Traces {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] };
    readonly scopeSpans: readonly { readonly spans: readonly JsonSpan[] }[];
  }[];
}

interface JsonSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly attributes: readonly KeyValue[];
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly status: { readonly code?: number };
}

interface Metrics {
  readonly resourceMetrics: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] };
    readonly scopeMetrics: readonly {
      readonly scope: { readonly name: string };
      readonly metrics: readonly JsonMetric[];
    }[];
  }[];
}

interface JsonMetric {
  readonly name: string;
  readonly unit?: string;
  readonly sum?: { readonly dataPoints: readonly JsonPoint[] };
  readonly gauge?: { readonly dataPoints: readonly JsonPoint[] };
  readonly histogram?: { readonly dataPoints: readonly JsonPoint[] };
}

interface JsonPoint {
  readonly attributes: readonly KeyValue[];
  readonly asDouble?: number;
  readonly asInt?: number | string;
  readonly count?: number | string;
  readonly sum?: number;
  readonly explicitBounds?: readonly number[];
  readonly bucketCounts?: readonly (number | string)[];
}

function spansOf({ resourceSpans }: Traces): readonly ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans
      .flatMap(({ spans }) => spans)
      .map(({ traceId, spanId, parentSpanId = '', name, kind, attributes, links = [], status }) => ({
        traceId,
        spanId,
        parentSpanId,
        name,
        kind,
        attributes: attributesOf(attributes),
        links: links.map((link) => ({ traceId: link.traceId, spanId: link.spanId })),
        failed: status.code === ERROR,
        resource: attributesOf(resource.attributes),
      })),
  );
}

function metricsOf({ resourceMetrics }: Metrics): readonly ReceivedMetric[] {
  return resourceMetrics.flatMap(({ resource, scopeMetrics }) =>
    scopeMetrics.flatMap(({ scope, metrics }) =>
      metrics.map(({ name, unit = '', sum, gauge, histogram }) => ({
        name,
        unit,
        scope: scope.name,
        resource: attributesOf(resource.attributes),
        points: (sum ?? gauge ?? histogram)!.dataPoints.map(pointOf),
      })),
    ),
  );
}

function pointOf(point: JsonPoint): ReceivedPoint {
  const attributes = attributesOf(point.attributes);
  if (point.bucketCounts === undefined) return { attributes, value: Number(point.asDouble ?? point.asInt) };
  return {
    attributes,
    value: Number(point.count),
    histogram: {
      sum: point.sum!,
      bounds: point.explicitBounds!,
      counts: point.bucketCounts.map(Number),
    },
  };
}

function attributesOf(list: readonly KeyValue[]): Attributes {
  return Object.fromEntries(
    list.map(({ key, value }) => [
      key,
      value.stringValue ?? value.boolValue ?? value.doubleValue ?? Number(value.intValue),
    ]),
  );
}
