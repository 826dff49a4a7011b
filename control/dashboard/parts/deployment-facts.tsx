import type { DetailedDeployment } from '../../../src/client/api-types.ts';
import { parseDuration } from '../../../src/core/duration.ts';
import { share as shareText, span, words } from '../model/format.ts';

/** What it was created with. */
export function DeploymentFacts({ deployment }: { readonly deployment: DetailedDeployment }) {
  const { config, metadata } = deployment;
  const thresholds = config.rollback_thresholds;
  const time = (duration: string | undefined): string => span(parseDuration(duration ?? '') ?? 0);
  const facts: readonly (readonly [string, string])[] = [
    ['Routing', `${words(config.routing_strategy)}, ${config.sticky_routing ? 'sticky' : 'not sticky'}`],
    ['Promotion', config.auto_promotion ? `automatic, ${stagesText(config.stages)}` : 'by hand'],
    ['Rollback', rollbackText(config)],
    ['Error rate', `at most ${shareText(thresholds.max_error_rate_increase)} above stable`],
    ['Success rate', `at least ${shareText(thresholds.min_success_rate)}`],
    ['p95 latency', `at most ${shareText(thresholds.max_latency_increase)} above stable`],
    ['Throughput', `at most ${shareText(thresholds.max_throughput_decrease)} below stable`],
    ['Duration', `${time(config.min_canary_duration)} to ${time(config.max_canary_duration)}`],
    ['Without a canary worker', config.fallback === 'none' ? 'jobs are refused' : 'jobs go to stable'],
    ['Drain', `for at most ${time(config.drain_timeout)}`],
    ['Revision', String(deployment.routing.revision)],
    ...Object.entries(metadata ?? {}).map(
      ([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)] as const,
    ),
  ];
  return (
    <section class="card" aria-labelledby="facts-title">
      <h2 id="facts-title">Configuration</h2>
      <dl class="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        <div class="fact-id">
          <dt>Id</dt>
          <dd>
            <code>{deployment.id}</code>
          </dd>
        </div>
      </dl>
    </section>
  );
}

function stagesText(stages: DetailedDeployment['config']['stages'] = []): string {
  return stages
    .map(({ percentage, duration }) => `${shareText(percentage)} for ${span(parseDuration(duration) ?? 0)}`)
    .join(', ');
}

function rollbackText({ auto_rollback, analysis }: DetailedDeployment['config']): string {
  if (auto_rollback === false) return 'by hand';
  return analysis === 'threshold' ? 'automatic, at the first breach' : 'automatic, once a breach is proven';
}
