import type { DeploymentMetrics } from '../../../src/client/api-types.ts';
import { parseDuration } from '../../../src/core/duration.ts';
import { comparisonOf } from '../model/comparison.ts';
import { span } from '../model/format.ts';

/** Stable and canary side by side. */
export function Comparison(props: { readonly metrics: DeploymentMetrics; readonly window: string }) {
  const { metrics } = props;
  return (
    <section class="card" aria-labelledby="comparison-title">
      <h2 id="comparison-title">
        Side by side <span class="quiet">over {span(parseDuration(props.window) ?? 0)}</span>
      </h2>
      <table class="comparison">
        <thead>
          <tr>
            <th scope="col">
              <span class="unseen">Measure</span>
            </th>
            <th scope="col" class="number">
              <span class="lane-name lane-stable">stable</span>
            </th>
            <th scope="col" class="number">
              <span class="lane-name lane-canary">canary</span>
            </th>
            <th scope="col" class="number">
              difference
            </th>
          </tr>
        </thead>
        <tbody>
          {comparisonOf(metrics).map((row) => (
            <tr key={row.name}>
              <th scope="row">{row.name}</th>
              <td class="number">{row.stable}</td>
              <td class="number">{row.canary}</td>
              <td class={`number difference difference-${row.verdict ?? 'none'}`}>
                {row.difference}
                {row.verdict !== undefined && <span class="unseen"> ({row.verdict})</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
